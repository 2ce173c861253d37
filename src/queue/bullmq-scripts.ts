// What must be atomic in Redis beside BullMQ's own scripts, which cannot refuse an overtaken consumer: take, settle and
// put back jobs under a fence, and the held lanes. They keep BullMQ's lists and job hashes as BullMQ keeps them.
import type { RedisLink, Script } from '../state/redis.ts';

/** The keys of one instance's queue: BullMQ's, and ours beside them. */
export interface InstanceKeys {
  /** Before a job's id. */
  readonly jobs: string;
  readonly wait: string;
  readonly active: string;
  /** BullMQ's sign that a job waits. */
  readonly marker: string;
  readonly fence: string;
  readonly counts: string;
  readonly lanes: string;
  readonly laneBase: string;
}

/** Only the holder of the newest fence gets past this. KEYS[1] is the fence, ARGV[1] the caller's. */
const guard = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('FENCED a later holder consumes this queue') end
`;

// A script whose first write frees memory is let through by a Redis that is full (maxmemory): a full store must drain.
// Here that is the deletion of a key that never exists.
const evenWhenFull = (key: string) => `redis.call('DEL', ${key} .. ':never')\n`;

// Lua writes the negative of 0 as -0, which Redis takes for no integer: hence `0 - n`.
// BullMQ pushes on the left of `wait` and takes from its right; `counts` holds events, not jobs.
const scripts = {
  /** KEYS fence active; ARGV fence. The ids that an earlier holder left behind, newest first. */
  takeOver: {
    keys: 2,
    lua: `
${evenWhenFull('KEYS[1]')}
local stored = tonumber(redis.call('GET', KEYS[1]) or '0')
if stored > tonumber(ARGV[1]) then return redis.error_reply('FENCED a later holder consumes this queue') end
redis.call('SET', KEYS[1], ARGV[1])
return redis.call('LRANGE', KEYS[2], 0, -1)`,
  },
  /** KEYS fence active; ARGV fence. */
  active: { keys: 2, lua: `${guard} return redis.call('LRANGE', KEYS[2], 0, -1)` },
  /** KEYS fence wait active; ARGV fence, prefix of jobs, how many, now. Answers id, data, id, data ... */
  take: {
    keys: 3,
    lua: `
${guard}${evenWhenFull('KEYS[1]')}
local taken = {}
for _ = 1, tonumber(ARGV[3]) do
  local id = redis.call('RPOPLPUSH', KEYS[2], KEYS[3])
  if not id then break end
  local job = ARGV[2] .. id
  redis.call('HSET', job, 'processedOn', ARGV[4])
  redis.call('HINCRBY', job, 'ats', 1)
  taken[#taken + 1] = id
  taken[#taken + 1] = redis.call('HGET', job, 'data') or ''
end
return taken`,
  },
  /** KEYS fence wait active; ARGV fence, ids newest first. Jobs that no handler has seen wait again, before the others. */
  putBack: {
    keys: 3,
    lua: `
${guard}${evenWhenFull('KEYS[1]')}
for i = 2, #ARGV do
  if redis.call('LREM', KEYS[3], 1, ARGV[i]) > 0 then redis.call('RPUSH', KEYS[2], ARGV[i]) end
end
return 0`,
  },
  /** KEYS fence wait active counts; ARGV fence, prefix of jobs, then for each job: id, events settled, progress or ''. */
  settle: {
    keys: 4,
    lua: `
${guard}${evenWhenFull('KEYS[1]')}
local settled = 0
for i = 3, #ARGV, 3 do
  local id, count, progress = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local job = ARGV[2] .. id
  if progress == '' then
    if redis.call('LREM', KEYS[3], -1, id) > 0 then
      redis.call('DEL', job, job .. ':lock', job .. ':logs')
      settled = settled + count
    end
  elseif redis.call('EXISTS', job) == 1 and redis.call('HGET', job, 'progress') ~= progress then
    redis.call('HSET', job, 'progress', progress)
    settled = settled + count
  end
end
local left = redis.call('HINCRBY', KEYS[4], 'queued', 0 - settled)
if left < 0 or (left > 0 and redis.call('LLEN', KEYS[2]) == 0 and redis.call('LLEN', KEYS[3]) == 0) then
  redis.call('HSET', KEYS[4], 'queued', 0)
end
return 0`,
  },
  /** KEYS fence order bodies lanes counts; ARGV fence, lane, id, body. */
  hold: {
    keys: 5,
    lua: `
${guard}${evenWhenFull('KEYS[1]')}
local place = redis.call('HINCRBY', KEYS[5], 'places', 1)
if redis.call('ZADD', KEYS[2], 'NX', place, ARGV[3]) == 0 then return 0 end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
redis.call('HINCRBY', KEYS[4], ARGV[2], 1)
redis.call('HINCRBY', KEYS[5], 'held', 1)
return 1`,
  },
  /** KEYS fence order bodies lanes counts; ARGV fence, lane, ids. */
  release: {
    keys: 5,
    lua: `
${guard}${evenWhenFull('KEYS[1]')}
local released = 0
for i = 3, #ARGV do
  released = released + redis.call('ZREM', KEYS[2], ARGV[i])
  redis.call('HDEL', KEYS[3], ARGV[i])
end
if redis.call('HINCRBY', KEYS[4], ARGV[2], 0 - released) <= 0 then redis.call('HDEL', KEYS[4], ARGV[2]) end
redis.call('HINCRBY', KEYS[5], 'held', 0 - released)
return released`,
  },
  /** KEYS order bodies; ARGV limit. */
  heads: {
    keys: 2,
    lua: `
local bodies = {}
for i, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1)) do
  bodies[i] = redis.call('HGET', KEYS[2], id)
end
return bodies`,
  },
  /** KEYS letters order; ARGV id, milliseconds, letter, prefix of each instance's order, instance. */
  bury: {
    keys: 2,
    lua: `
${evenWhenFull('KEYS[1]')}
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then redis.call('ZREM', ARGV[4] .. cjson.decode(old).instance, ARGV[1]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', ARGV[4] .. ARGV[5], ARGV[2], ARGV[1])
return 1`,
  },
  /** KEYS letters order; ARGV id, prefix of each instance's order. */
  exhume: {
    keys: 2,
    lua: `
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old then return 0 end
redis.call('ZREM', ARGV[2] .. cjson.decode(old).instance, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])`,
  },
} as const;

export type QueueScripts = Readonly<Record<keyof typeof scripts, Script>>;

export function queueScripts(link: RedisLink): QueueScripts {
  const define = ([name, { lua, keys }]: [string, { lua: string; keys: number }]) => [name, link.script(lua, keys)];
  return Object.fromEntries(Object.entries(scripts).map(define)) as QueueScripts;
}
