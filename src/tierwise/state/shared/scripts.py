"""What Redis does in one step: scripts in its own language, which nobody comes between.

Times are seconds since `EPOCH` by the server's clock, so that replicas need not agree about the
time. Amounts of money are whole numbers of 1e-9 USD. Every key has a time to live: what nobody uses
goes away, and what was in it was good by then or is counted anew.
"""

from __future__ import annotations

import hashlib

from msgspec import Struct

from tierwise.state.shared import money

EPOCH = 1_700_000_000
"""In Unix time. Numbers of Redis' scripts have 53 bits, which is 15 ns after so few seconds."""
NANOS = 1_000_000_000
"""To the USD, and to the second where times come back as whole numbers."""


class Script(Struct, frozen=True):
    """A script and its name there."""

    text: str

    @property
    def sha(self) -> str:
        """By which Redis knows a script that it was given."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


CLOCK = f"""
local clock = redis.call('TIME')
local now = clock[1] - {EPOCH} + clock[2] / 1000000
"""
NUMBERS = """
local function text(number) return string.format('%.17g', number) end
"""

_RATES = """
-- A bucket is kept as the time at which it is full again and the time at which it last was, as in
-- `state.limits`. `floor` is how long it takes by what the caller knows: that counts where Redis
-- has lost what it knew.
local function bucket(key, name, per_minute, floor)
  if per_minute == '' then return nil end
  local most = tonumber(per_minute)
  local kept = redis.call('HMGET', key, name .. 'full', name .. 'was')
  local one = {name = name, most = most, step = 60 / most, full = tonumber(kept[1]),
               was = tonumber(kept[2]) or -1e18}
  one.known = one.full ~= nil
  if not one.full then one.full = floor > 0 and now + floor or -1e18 end
  return one
end
local function wait(one, units)
  if not one then return 0 end
  local left = math.max(one.full, now) + math.min(units, one.most) * one.step - now - 60
  return left > 0.000001 and left or 0
end
local function take(one, units)
  if not one then return end
  if one.full <= now then
    one.was = one.full
    one.full = now
  end
  one.full = one.full + units * one.step
end
local function settle(one, taken_at, expected, used)
  if not one then return end
  if used > expected or taken_at >= one.was then
    one.full = one.full + (used - expected) * one.step
  end
end
local function keep(key, ...)
  local longest = 0
  for _, one in pairs({...}) do
    redis.call('HSET', key, one.name .. 'full', text(one.full), one.name .. 'was', text(one.was))
    longest = math.max(longest, one.full - now)
  end
  if longest < 1e9 then redis.call('EXPIRE', key, math.ceil(longest) + 900) end
end
local function full_in(one)
  if not one then return '0' end
  return text(math.max(0, one.full - now))
end
"""

TAKE_TEXT = """
-- KEYS: buckets, calls. ARGV: rpm, tpm, concurrency, tokens, lease, seconds of the lease, floors of
-- both buckets, usual seconds of a call. Gives: seconds to wait, now, seconds until both buckets
-- are full, calls that run, whether it is only for them that it has to wait.
local requests = bucket(KEYS[1], 'r', ARGV[1], tonumber(ARGV[7]))
local tokens = bucket(KEYS[1], 't', ARGV[2], tonumber(ARGV[8]))
local units = tonumber(ARGV[4])
local left = math.max(wait(requests, 1), wait(tokens, units))
local running, crowded = 0, 0
if ARGV[3] ~= '' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(now))
  running = redis.call('ZCARD', KEYS[2])
  if running >= tonumber(ARGV[3]) then
    if left == 0 then crowded = 1 end
    left = math.max(left, tonumber(ARGV[9]) / running, 0.000001)
  end
end
if left == 0 then
  take(requests, 1)
  take(tokens, units)
  keep(KEYS[1], requests, tokens)
  if ARGV[3] ~= '' then
    redis.call('ZADD', KEYS[2], text(now + ARGV[6]), ARGV[5])
    redis.call('EXPIRE', KEYS[2], math.ceil(ARGV[6]) + 1)
  end
end
return {text(left), text(now), full_in(requests), full_in(tokens), running, crowded}
"""

LEAVE_TEXT = """
-- KEYS: buckets, calls. ARGV: tpm, when they were taken, tokens expected, tokens used, lease.
redis.call('ZREM', KEYS[2], ARGV[5])
if ARGV[3] ~= ARGV[4] then
  local tokens = bucket(KEYS[1], 't', ARGV[1], 0)
  if tokens and (tokens.known or tonumber(ARGV[4]) > tonumber(ARGV[3])) then
    if not tokens.known then tokens.full = now end
    settle(tokens, tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
    keep(KEYS[1], tokens)
  end
end
return 1
"""

OWE_TEXT = """
-- What was taken while Redis was away. KEYS: buckets. ARGV: rpm, tpm, requests, tokens, floors.
local requests = bucket(KEYS[1], 'r', ARGV[1], tonumber(ARGV[5]))
local tokens = bucket(KEYS[1], 't', ARGV[2], tonumber(ARGV[6]))
if requests and requests.known then take(requests, tonumber(ARGV[3])) end
if tokens and tokens.known then take(tokens, tonumber(ARGV[4])) end
keep(KEYS[1], requests, tokens)
return 1
"""

LOOK_TEXT = """
-- KEYS: buckets. ARGV: rpm, tpm. Gives seconds until both buckets are full.
return {full_in(bucket(KEYS[1], 'r', ARGV[1], 0)), full_in(bucket(KEYS[1], 't', ARGV[2], 0))}
"""

RENEW_TEXT = """
-- Calls that still run. KEYS: calls. ARGV: seconds of the lease, leases.
for place = 2, #ARGV do redis.call('ZADD', KEYS[1], text(now + ARGV[1]), ARGV[place]) end
redis.call('EXPIRE', KEYS[1], math.ceil(ARGV[1]) + 1)
return 1
"""

SHARE_TEXT = """
-- What one of the replicas may use of a deployment's limits. KEYS: load. ARGV: member, seconds that
-- it counts, demand, calls that run, rpm, tpm, requests and tokens taken since it last asked,
-- floors of both buckets, concurrency. Gives: share, seconds until both buckets are full, calls at
-- a time. Nobody is given calls that another one has not given up yet.
local requests = bucket(KEYS[1], 'r', ARGV[5], tonumber(ARGV[9]))
local tokens = bucket(KEYS[1], 't', ARGV[6], tonumber(ARGV[10]))
take(requests, tonumber(ARGV[7]))
take(tokens, tonumber(ARGV[8]))
keep(KEYS[1], requests, tokens)
local me = 'm:' .. ARGV[1]
local all = redis.call('HGETALL', KEYS[1])
local members, wanted, given = 1, tonumber(ARGV[3]), 0
for place = 1, #all, 2 do
  if string.sub(all[place], 1, 2) == 'm:' and all[place] ~= me then
    local demand, calls, ends = string.match(all[place + 1], '^(%S+) (%S+) (%S+)$')
    if tonumber(ends) < now then
      redis.call('HDEL', KEYS[1], all[place])
    else
      members = members + 1
      wanted = wanted + demand
      given = given + calls
    end
  end
end
local share = 1 / members
if wanted > 0 then share = 0.9 * ARGV[3] / wanted + 0.1 / members end
local running, calls = tonumber(ARGV[4]), 0
if ARGV[11] ~= '' then
  local most = tonumber(ARGV[11])
  local part = math.max(1, running, math.floor(most * share + 0.000001))
  calls = math.max(1, math.min(part, most - given))
end
local held = string.format('%d', math.max(calls, running))
redis.call('HSET', KEYS[1], me, ARGV[3] .. ' ' .. held .. ' ' .. text(now + ARGV[2]))
redis.call('EXPIRE', KEYS[1], 900)
return {text(share), full_in(requests), full_in(tokens), calls}
"""

PRICES_TEXT = """
-- The price that all have found together: the mean of what each has found, by how much each was
-- asked. KEYS: models. ARGV: member, seconds that it counts, and for each model its price, 1 if it
-- counts, and its requests a second. Gives for each the price, and the share of those for whom it
-- counts; '' where nobody was asked.
local found = {}
for place, key in ipairs(KEYS) do
  local at = 3 * place
  local mine = ARGV[at] .. ' ' .. ARGV[at + 1] .. ' ' .. ARGV[at + 2]
  redis.call('HSET', key, ARGV[1], mine .. ' ' .. text(now + ARGV[2]))
  redis.call('EXPIRE', key, math.ceil(ARGV[2]) + 1)
  local all, price, counts, asked = redis.call('HGETALL', key), 0, 0, 0
  for one = 1, #all, 2 do
    local its, counted, rate, ends = string.match(all[one + 1], '^(%S+) (%S+) (%S+) (%S+)$')
    if tonumber(ends) < now then
      redis.call('HDEL', key, all[one])
    else
      price = price + its * rate
      counts = counts + counted * rate
      asked = asked + rate
    end
  end
  table.insert(found, asked > 0 and text(price / asked) or '')
  table.insert(found, asked > 0 and text(counts / asked) or '')
end
return found
"""

PRESENT_TEXT = """
-- Who is there. KEYS: members, orders. ARGV: member, seconds that it counts, seconds that orders
-- are kept, seconds that one who is not heard of any more is missed, then members that were there
-- before Redis forgot. Gives the time, then each member and the time until which it counts, or did.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - ARGV[4]))
for place = 5, #ARGV do redis.call('ZADD', KEYS[1], 'NX', text(now), ARGV[place]) end
redis.call('ZADD', KEYS[1], text(now + ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[1], math.ceil(ARGV[2] + ARGV[4]) + 1)
redis.call('EXPIRE', KEYS[2], ARGV[3])
local found = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
table.insert(found, 1, text(now))
return found
"""

DEPART_TEXT = """
-- One ends that has told all. KEYS: members. ARGV: member.
return redis.call('ZREM', KEYS[1], ARGV[1])
"""

TELL_TEXT = """
-- A hint that holds for a while. KEYS: hint. ARGV: channel, news, hint, milliseconds.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
return redis.call('PUBLISH', ARGV[1], ARGV[2])
"""

HINTS_TEXT = """
-- KEYS: hints. Gives, for each that is there, its place, itself, and its milliseconds left.
local found = {}
for place, key in ipairs(KEYS) do
  local hint = redis.call('GET', key)
  if hint then table.insert(found, {place, hint, redis.call('PTTL', key)}) end
end
return found
"""

ORDER_TEXT = """
-- KEYS: orders, hint of the deployment. ARGV: channel, news, deployment, order, seconds, whether it
-- is restored.
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
if ARGV[6] == '1' then redis.call('DEL', KEYS[2]) end
return redis.call('PUBLISH', ARGV[1], ARGV[2])
"""

ORDERS_TEXT = """
-- KEYS: orders. Gives each deployment and its latest order.
return redis.call('HGETALL', KEYS[1])
"""

NEWS_TEXT = """
-- ARGV: channel, news.
return redis.call('PUBLISH', ARGV[1], ARGV[2])
"""


def rates(text: str, clock: str = CLOCK) -> Script:
    """A script about buckets; the clock is another one where time must stand still."""
    return Script(clock + NUMBERS + _RATES + text)


def _money(text: str) -> Script:
    return Script(CLOCK + NUMBERS + money.PURSES + text)


TAKE = rates(TAKE_TEXT)
LEAVE = rates(LEAVE_TEXT)
OWE = rates(OWE_TEXT)
LOOK = rates(LOOK_TEXT)
SHARE = rates(SHARE_TEXT)
RENEW = Script(CLOCK + NUMBERS + RENEW_TEXT)
PRICES = Script(CLOCK + NUMBERS + PRICES_TEXT)
PRESENT = Script(CLOCK + NUMBERS + PRESENT_TEXT)
TELL, HINTS, NEWS = Script(TELL_TEXT), Script(HINTS_TEXT), Script(NEWS_TEXT)
ORDER, ORDERS = Script(ORDER_TEXT), Script(ORDERS_TEXT)
DEPART = Script(DEPART_TEXT)
RESERVE, HOLD, BILL = _money(money.RESERVE), _money(money.HOLD), _money(money.BILL)
JOIN, OPEN = _money(money.JOIN), _money(money.OPEN)
BALANCES, STATES = _money(money.BALANCES), _money(money.STATES)

ALL = (
    TAKE,
    LEAVE,
    OWE,
    LOOK,
    SHARE,
    RENEW,
    PRICES,
    PRESENT,
    DEPART,
    TELL,
    HINTS,
    ORDER,
    ORDERS,
    NEWS,
    RESERVE,
    HOLD,
    BILL,
    JOIN,
    OPEN,
    BALANCES,
    STATES,
)
"""Given to Redis with every connection, so that each call need only name its script; those of
`shelves`, too."""
