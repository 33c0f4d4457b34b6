"""What Redis does about budgets: texts of scripts, to which `scripts` adds clock and numbers.

An account is kept so that it can be put together again from what the replicas know, in any order
and any number of times, if Redis has forgotten it:

- `base` is what was spent before any replica that lives counted. Several may have read it in the
  ledger at different times; the least is right, since what the others read beyond it are bills
  that the replicas have counted.
- `by:` and the name of a replica is all that it has billed since it began. It only grows, so the
  larger of two is right. `sum` is their sum.
- `floor` is what the ledger said when the account was opened, `live` what was billed since then.
  Both together are less than what was spent, or all of it; they count if they are more than the
  rest, as where a replica was killed together with Redis and nobody else knows its last bills.

What is set aside for whom stands in a hash of its own beside each account, and until when in an
ordered set; what is kept for replicas that are missing, in another hash.
"""

PURSES = """
local function whole(number) return string.format('%.0f', number) end
local function free(key, lease)
  local held = redis.call('HGET', key .. ':held', lease)
  if not held then return end
  redis.call('HDEL', key .. ':held', lease)
  redis.call('ZREM', key .. ':until', lease)
  if held ~= '0' then redis.call('HINCRBY', key, 'aside', '-' .. held) end
end
local function hold(key, lease, amount, seconds)
  redis.call('HSET', key .. ':held', lease, amount)
  redis.call('ZADD', key .. ':until', text(now + seconds), lease)
  redis.call('HINCRBY', key, 'aside', amount)
end
local function used(key, seconds)
  for _, name in ipairs({key, key .. ':held', key .. ':until'}) do
    if redis.call('TTL', name) < tonumber(seconds) then redis.call('EXPIRE', name, seconds) end
  end
end
local function expire(key)
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', key .. ':until', '-inf', text(now))) do
    free(key, lease)
  end
end
-- What is spent, nil if the account is not open; what is set aside; the base.
local function balance(key)
  local kept = redis.call('HMGET', key, 'base', 'sum', 'floor', 'live', 'aside', 'open')
  local function number(place) return tonumber(kept[place] or 0) end
  local spent = math.max(number(1) + number(2), number(3) + number(4))
  return kept[6] and whole(spent) or nil, kept[5] or '0', kept[1] or ''
end
-- A replica has billed so much in all; gives how much of it is new.
local function count(key, member, billed)
  local more = billed - tonumber(redis.call('HGET', key, 'by:' .. member) or 0)
  if more <= 0 then return 0 end
  redis.call('HSET', key, 'by:' .. member, billed)
  redis.call('HINCRBY', key, 'sum', whole(more))
  return more
end
"""

RESERVE = """
-- KEYS: accounts. ARGV: lease, amount, seconds of the lease, seconds that accounts are kept, the
-- most of each account, seconds that parts are kept, how many replicas there are, and of each that
-- is missing its name and, for each account, what it may spend without Redis ('': an equal part of
-- what is left). Gives for each account what was spent and set aside before, parts of the missing
-- included, and its base; then 1 if it is set aside.
local n = #KEYS
local function parts(place, left)
  local key, all = KEYS[place] .. ':parts', 0
  for at = 7 + n, #ARGV, 1 + n do
    local part = redis.call('HGET', key, ARGV[at])
    if not part then
      part = ARGV[at + place]
      if part == '' then part = whole(math.max(0, math.floor(left / ARGV[6 + n]))) end
      redis.call('HSET', key, ARGV[at], part)
      redis.call('EXPIRE', key, ARGV[5 + n])
    end
    all = all + part
  end
  return all
end
local found, room = {}, 1
local amount = tonumber(ARGV[2])
for place, key in ipairs(KEYS) do
  expire(key)
  local spent, aside, base = balance(key)
  local most = tonumber(ARGV[4 + place])
  if not spent then
    room = 0
  elseif most then
    if #ARGV > 6 + n then aside = whole(aside + parts(place, most - spent - aside)) end
    if amount > 0 and spent + aside + amount > most then room = 0 end
  end
  table.insert(found, spent or '')
  table.insert(found, aside)
  table.insert(found, base)
end
if room == 1 then
  for _, key in ipairs(KEYS) do
    hold(key, ARGV[1], ARGV[2], ARGV[3])
    used(key, ARGV[4])
  end
end
table.insert(found, room)
return found
"""

HOLD = """
-- As set aside already. KEYS: accounts. ARGV: lease, amount, seconds of the lease, seconds that
-- accounts are kept.
for _, key in ipairs(KEYS) do
  free(key, ARGV[1])
  hold(key, ARGV[1], ARGV[2], ARGV[3])
  used(key, ARGV[4])
end
return 1
"""

BILL = """
-- A request is over. KEYS: accounts. ARGV: lease, replica, seconds that accounts are kept, and what
-- the replica has billed of each account in all.
for place, key in ipairs(KEYS) do
  free(key, ARGV[1])
  local more = count(key, ARGV[2], ARGV[3 + place])
  if more > 0 then redis.call('HINCRBY', key, 'live', whole(more)) end
  used(key, ARGV[3])
end
return 1
"""

JOIN = """
-- What one of the replicas knows. KEYS: account. ARGV: replica, seconds that accounts are kept, the
-- base ('': it does not know), seconds in which the others see that it is there, then replicas and
-- what each had billed in all. Until they see it, its part would be kept beside its bills.
local base = redis.call('HGET', KEYS[1], 'base')
if ARGV[3] ~= '' and (not base or tonumber(ARGV[3]) < tonumber(base)) then
  redis.call('HSET', KEYS[1], 'base', ARGV[3])
end
for place = 5, #ARGV, 2 do count(KEYS[1], ARGV[place], ARGV[place + 1]) end
redis.call('HSET', KEYS[1] .. ':parts', ARGV[1], '0')
redis.call('EXPIRE', KEYS[1] .. ':parts', ARGV[4])
used(KEYS[1], ARGV[2])
return 1
"""

OPEN = """
-- KEYS: account. ARGV: what the ledger says is spent, seconds that accounts are kept.
if redis.call('HEXISTS', KEYS[1], 'open') == 1 then return 0 end
if redis.call('HEXISTS', KEYS[1], 'base') == 0 then
  local sum = tonumber(redis.call('HGET', KEYS[1], 'sum') or 0)
  redis.call('HSET', KEYS[1], 'base', whole(math.max(0, ARGV[1] - sum)))
end
redis.call('HSET', KEYS[1], 'open', '1', 'floor', ARGV[1], 'live', '0')
used(KEYS[1], ARGV[2])
return 1
"""

BALANCES = """
-- KEYS: accounts. Gives what is spent and set aside of each, and its base.
local found = {}
for _, key in ipairs(KEYS) do
  expire(key)
  local spent, aside, base = balance(key)
  table.insert(found, spent or '')
  table.insert(found, aside)
  table.insert(found, base)
end
return found
"""

STATES = """
-- As `BALANCES`, and for each account a list: replicas and what each has billed in all.
local found = {}
for _, key in ipairs(KEYS) do
  expire(key)
  local spent, aside, base = balance(key)
  local all, billed = redis.call('HGETALL', key), {}
  for place = 1, #all, 2 do
    if string.sub(all[place], 1, 3) == 'by:' then
      table.insert(billed, string.sub(all[place], 4))
      table.insert(billed, all[place + 1])
    end
  end
  table.insert(found, {spent or '', aside, base, billed})
end
return found
"""
