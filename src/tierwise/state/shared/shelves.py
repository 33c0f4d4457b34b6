"""Scripts about what replicas keep for each other: answers, and word of them.

As in `scripts`: nobody comes between, and every key ends by itself.
"""

from __future__ import annotations

from tierwise.state.shared.scripts import CLOCK, NUMBERS, Script

_SHELVES = """
local AT_A_TIME = 200
-- Answers that are kept: KEYS 1 to 3 are the order of all, their sizes, and the sums by caller.
local function drop(name, but_answer)
  local prefix = string.match(KEYS[1], '^(.*):order$')
  local who = string.match(name, '^[^/]*')
  redis.call('ZREM', KEYS[1], name)
  redis.call('ZREM', prefix .. ':order:' .. who, name)
  if not but_answer then redis.call('DEL', prefix .. ':answer:' .. name) end
  local size = redis.call('HGET', KEYS[2], name)
  if not size then return false end
  redis.call('HDEL', KEYS[2], name)
  redis.call('HINCRBY', KEYS[3], 'all', -size)
  if redis.call('HINCRBY', KEYS[3], who, -size) <= 0 then redis.call('HDEL', KEYS[3], who) end
  return true
end
"""

SHELVE_TEXT = """
-- ARGV: name, answer, seconds, most bytes of all, most of one caller, size, then items: key, value.
-- Gives whether there was one of that name. What is over goes little by little: Redis does one
-- thing at a time.
local prefix = string.match(KEYS[1], '^(.*):order$')
local name, seconds, size = ARGV[1], ARGV[3], tonumber(ARGV[6])
local who = string.match(name, '^[^/]*')
local mine = prefix .. ':order:' .. who
-- First of all: a Redis that is full refuses what a script writes first, and nothing after it.
redis.call('SET', prefix .. ':answer:' .. name, ARGV[2], 'EX', seconds)
local replaced = drop(name, true)
for place = 7, #ARGV, 2 do
  redis.call('SET', prefix .. ':item:' .. ARGV[place], ARGV[place + 1], 'EX', seconds)
end
redis.call('ZADD', KEYS[1], text(now), name)
redis.call('ZADD', mine, text(now), name)
redis.call('HSET', KEYS[2], name, size)
redis.call('HINCRBY', KEYS[3], 'all', size)
redis.call('HINCRBY', KEYS[3], who, size)
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[3], mine}) do redis.call('EXPIRE', key, seconds) end
for _, old in ipairs(redis.call(
  'ZRANGEBYSCORE', KEYS[1], '-inf', text(now - seconds), 'LIMIT', 0, AT_A_TIME)) do
  drop(old)
end
local function trim(key, sum, most)
  for _ = 1, AT_A_TIME do
    if tonumber(redis.call('HGET', KEYS[3], sum) or 0) <= tonumber(most) then return end
    local oldest = redis.call('ZRANGE', key, 0, 0)[1]
    if not oldest then return end
    drop(oldest)
  end
end
trim(mine, who, ARGV[5])
trim(KEYS[1], 'all', ARGV[4])
return replaced and 1 or 0
"""

UNSHELVE_TEXT = """
-- ARGV: name, then items.
local prefix = string.match(KEYS[1], '^(.*):order$')
for place = 2, #ARGV do redis.call('DEL', prefix .. ':item:' .. ARGV[place]) end
return drop(ARGV[1]) and 1 or 0
"""

CLEAR_TEXT = """
-- Some of the answers go, and all lines. KEYS: as above, lines, mark. ARGV: mark, its seconds.
-- Gives how many answers went.
redis.call('DEL', KEYS[4])
redis.call('SET', KEYS[5], ARGV[1], 'EX', ARGV[2])
local names = redis.call('ZRANGE', KEYS[1], 0, AT_A_TIME - 1)
for _, name in ipairs(names) do drop(name) end
return #names
"""

FETCH_TEXT = """
-- KEYS: answers. Gives each, or nothing, and its milliseconds left.
local found = {}
for _, key in ipairs(KEYS) do
  local answer = redis.call('GET', key)
  table.insert(found, answer)
  table.insert(found, answer and redis.call('PTTL', key) or 0)
end
return found
"""

NOTE_TEXT = """
-- KEYS: note. ARGV: what it says, seconds.
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""

NOTES_TEXT = """
-- KEYS: notes. Gives what each says.
return redis.call('MGET', unpack(KEYS))
"""

SAY_TEXT = """
-- KEYS: lines. ARGV: line, most lines, seconds that they are kept after the last one.
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'line', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""

LINES_TEXT = """
-- KEYS: lines. ARGV: the last one that is known, how many at most. Gives Redis' time in
-- milliseconds, and what was said since. Where the last one is newer than all, another Redis said
-- it: then all are given.
local clock = redis.call('TIME')
local since = ARGV[1]
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest and tonumber(string.match(newest[1], '^%d+')) < tonumber(string.match(since, '^%d+')) then
  since = '0-0'
end
local lines = redis.call('XRANGE', KEYS[1], '(' .. since, '+', 'COUNT', ARGV[2])
return {clock[1] .. string.format('%03d', math.floor(clock[2] / 1000)), lines}
"""

TURN_TEXT = """
-- KEYS: answer, turn. ARGV: digest of what is asked and who asks, seconds that a turn counts. Gives
-- a word, and the answer if there is one.
local same = string.sub(ARGV[1], 1, 16)
local answer = redis.call('GET', KEYS[1])
local held = answer or redis.call('GET', KEYS[2])
if held and string.sub(held, 1, 16) ~= same then return {'reused'} end
if answer then return {'answered', string.sub(answer, 17)} end
if held and held ~= ARGV[1] then return {'coming'} end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return {'yours'}
"""

KEEP_TURNS_TEXT = """
-- KEYS: turns. ARGV: seconds that they count, and who has them.
for place, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if not held or held == ARGV[1 + place] then
    redis.call('SET', key, ARGV[1 + place], 'EX', ARGV[1])
  end
end
return 1
"""

LEAVE_TURN_TEXT = """
-- KEYS: turn. ARGV: who has it.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


def _shelf(text: str) -> Script:
    return Script(CLOCK + NUMBERS + _SHELVES + text)


SHELVE, UNSHELVE = _shelf(SHELVE_TEXT), _shelf(UNSHELVE_TEXT)
CLEAR = _shelf(CLEAR_TEXT)
FETCH, SAY, LINES = Script(FETCH_TEXT), Script(SAY_TEXT), Script(LINES_TEXT)
TURN, KEEP_TURNS = Script(TURN_TEXT), Script(KEEP_TURNS_TEXT)
LEAVE_TURN = Script(LEAVE_TURN_TEXT)
NOTE, NOTES = Script(NOTE_TEXT), Script(NOTES_TEXT)

SHELVES = (
    SHELVE,
    UNSHELVE,
    CLEAR,
    FETCH,
    SAY,
    LINES,
    TURN,
    KEEP_TURNS,
    LEAVE_TURN,
    NOTE,
    NOTES,
)
"""Given to Redis as `scripts.ALL` are."""
