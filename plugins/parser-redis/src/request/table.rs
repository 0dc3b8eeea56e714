//! The commands of Redis 8 and Valkey 8 (<https://redis.io/docs/latest/commands/>): which arguments are values, what follows.

/// The arguments that a command stores or compares: application data. The first argument is number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// None: keys, numbers, options.
    None,
    /// This one.
    At(u32),
    /// This one and all behind it.
    From(u32),
    /// This one and every second one behind it.
    Pairs(u32),
}

impl Values {
    /// True when the argument with this number is a value.
    pub fn covers(self, number: u32) -> bool {
        match self {
            Values::None => false,
            Values::At(at) => number == at,
            Values::From(from) => number >= from,
            Values::Pairs(from) => number >= from && (number - from) % 2 == 0,
        }
    }
}

/// What one can subscribe to; each has its own count of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// `SUBSCRIBE`.
    Channel,
    /// `PSUBSCRIBE`.
    Pattern,
    /// `SSUBSCRIBE`.
    Shard,
}

/// What a command changes in the way replies come, or what of it must be hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// One command, one reply.
    Plain,
    /// The reply may take as long as the client allows.
    Blocking,
    /// With the word BLOCK its reply may take as long.
    MayBlock,
    /// One confirmation for each argument, then messages.
    Subscribe(Topic),
    /// One confirmation for each argument, or for each subscription.
    Unsubscribe(Topic),
    /// Then every command of the server is echoed.
    Monitor,
    /// Then the connection carries replication.
    Sync,
    /// `REPLCONF ACK` has no reply.
    ReplConf,
    /// `CLIENT REPLY` switches replies off.
    Client,
    /// All arguments are secret.
    Auth,
    /// A user and a password follow the word AUTH.
    Hello,
    /// Rules of users hold passwords.
    Acl,
    /// A secret follows the names of some settings.
    Config,
    /// Secrets follow AUTH and AUTH2.
    Migrate,
    /// The connection ends after the reply.
    Quit,
    /// Leaves every mode.
    Reset,
}

/// A known command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// In capitals.
    pub name: &'static str,
    /// Which arguments are application data.
    pub values: Values,
    /// What is special about it.
    pub act: Act,
}

/// Finds a command by its name in capitals.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    let first = usize::from(name.first()?.checked_sub(b'A')?);
    let range = usize::from(*FIRST.get(first)?)..usize::from(*FIRST.get(first + 1)?);
    COMMANDS.get(range)?.iter().find(|command| command.name.as_bytes() == name)
}

/// Names of modules' commands have a dot behind one of these.
pub const MODULES: &[&str] =
    &["BF", "CF", "CMS", "FT", "GRAPH", "JSON", "RG", "TDIGEST", "TOPK", "TS", "AI", "CL", "TFUNCTION", "SEARCH"];

const fn c(name: &'static str, values: Values, act: Act) -> Command {
    Command { name, values, act }
}

/// Where the names with each first letter begin in [`COMMANDS`], and the end.
#[rustfmt::skip]
const FIRST: [u16; 27] = [0, 4, 19, 25, 34, 44, 50, 66, 95, 99, 99, 100, 117, 127, 127, 128, 145, 146, 161, 201, 205, 208, 221, 224, 242, 242, 274];

#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    c("ACL", Values::None, Act::Acl), c("APPEND", Values::At(2), Act::Plain), c("ASKING", Values::None, Act::Plain),
    c("AUTH", Values::None, Act::Auth), c("BGREWRITEAOF", Values::None, Act::Plain),
    c("BGSAVE", Values::None, Act::Plain), c("BITCOUNT", Values::None, Act::Plain),
    c("BITFIELD", Values::None, Act::Plain), c("BITFIELD_RO", Values::None, Act::Plain),
    c("BITOP", Values::None, Act::Plain), c("BITPOS", Values::None, Act::Plain),
    c("BLMOVE", Values::None, Act::Blocking), c("BLMPOP", Values::None, Act::Blocking),
    c("BLPOP", Values::None, Act::Blocking), c("BRPOP", Values::None, Act::Blocking),
    c("BRPOPLPUSH", Values::None, Act::Blocking), c("BZMPOP", Values::None, Act::Blocking),
    c("BZPOPMAX", Values::None, Act::Blocking), c("BZPOPMIN", Values::None, Act::Blocking),
    c("CLIENT", Values::None, Act::Client), c("CLUSTER", Values::None, Act::Plain),
    c("COMMAND", Values::None, Act::Plain), c("COMMANDLOG", Values::None, Act::Plain),
    c("CONFIG", Values::None, Act::Config), c("COPY", Values::None, Act::Plain),
    c("DBSIZE", Values::None, Act::Plain), c("DEBUG", Values::None, Act::Plain),
    c("DECR", Values::None, Act::Plain), c("DECRBY", Values::None, Act::Plain), c("DEL", Values::None, Act::Plain),
    c("DELEX", Values::None, Act::Plain), c("DIGEST", Values::None, Act::Plain),
    c("DISCARD", Values::None, Act::Plain), c("DUMP", Values::None, Act::Plain),
    c("ECHO", Values::From(1), Act::Plain), c("EVAL", Values::From(3), Act::Plain),
    c("EVALSHA", Values::From(3), Act::Plain), c("EVALSHA_RO", Values::From(3), Act::Plain),
    c("EVAL_RO", Values::From(3), Act::Plain), c("EXEC", Values::None, Act::Plain),
    c("EXISTS", Values::None, Act::Plain), c("EXPIRE", Values::None, Act::Plain),
    c("EXPIREAT", Values::None, Act::Plain), c("EXPIRETIME", Values::None, Act::Plain),
    c("FAILOVER", Values::None, Act::Plain), c("FCALL", Values::From(3), Act::Plain),
    c("FCALL_RO", Values::From(3), Act::Plain), c("FLUSHALL", Values::None, Act::Plain),
    c("FLUSHDB", Values::None, Act::Plain), c("FUNCTION", Values::None, Act::Plain),
    c("GEOADD", Values::From(2), Act::Plain), c("GEODIST", Values::From(2), Act::Plain),
    c("GEOHASH", Values::From(2), Act::Plain), c("GEOPOS", Values::From(2), Act::Plain),
    c("GEORADIUS", Values::None, Act::Plain), c("GEORADIUSBYMEMBER", Values::None, Act::Plain),
    c("GEORADIUSBYMEMBER_RO", Values::None, Act::Plain), c("GEORADIUS_RO", Values::None, Act::Plain),
    c("GEOSEARCH", Values::None, Act::Plain), c("GEOSEARCHSTORE", Values::None, Act::Plain),
    c("GET", Values::None, Act::Plain), c("GETBIT", Values::None, Act::Plain),
    c("GETDEL", Values::None, Act::Plain), c("GETEX", Values::None, Act::Plain),
    c("GETRANGE", Values::None, Act::Plain), c("GETSET", Values::At(2), Act::Plain),
    c("HDEL", Values::None, Act::Plain), c("HELLO", Values::None, Act::Hello),
    c("HEXISTS", Values::None, Act::Plain), c("HEXPIRE", Values::None, Act::Plain),
    c("HEXPIREAT", Values::None, Act::Plain), c("HEXPIRETIME", Values::None, Act::Plain),
    c("HGET", Values::None, Act::Plain), c("HGETALL", Values::None, Act::Plain),
    c("HGETDEL", Values::None, Act::Plain), c("HGETEX", Values::None, Act::Plain),
    c("HINCRBY", Values::None, Act::Plain), c("HINCRBYFLOAT", Values::None, Act::Plain),
    c("HKEYS", Values::None, Act::Plain), c("HLEN", Values::None, Act::Plain), c("HMGET", Values::None, Act::Plain),
    c("HMSET", Values::Pairs(3), Act::Plain), c("HPERSIST", Values::None, Act::Plain),
    c("HPEXPIRE", Values::None, Act::Plain), c("HPEXPIREAT", Values::None, Act::Plain),
    c("HPEXPIRETIME", Values::None, Act::Plain), c("HPTTL", Values::None, Act::Plain),
    c("HRANDFIELD", Values::None, Act::Plain), c("HSCAN", Values::None, Act::Plain),
    c("HSET", Values::Pairs(3), Act::Plain), c("HSETEX", Values::From(2), Act::Plain),
    c("HSETNX", Values::At(3), Act::Plain), c("HSTRLEN", Values::None, Act::Plain),
    c("HTTL", Values::None, Act::Plain), c("HVALS", Values::None, Act::Plain), c("INCR", Values::None, Act::Plain),
    c("INCRBY", Values::None, Act::Plain), c("INCRBYFLOAT", Values::None, Act::Plain),
    c("INFO", Values::None, Act::Plain), c("KEYS", Values::None, Act::Plain),
    c("LASTSAVE", Values::None, Act::Plain), c("LATENCY", Values::None, Act::Plain),
    c("LCS", Values::None, Act::Plain), c("LINDEX", Values::None, Act::Plain),
    c("LINSERT", Values::From(3), Act::Plain), c("LLEN", Values::None, Act::Plain),
    c("LMOVE", Values::None, Act::Plain), c("LMPOP", Values::None, Act::Plain),
    c("LOLWUT", Values::None, Act::Plain), c("LPOP", Values::None, Act::Plain),
    c("LPOS", Values::At(2), Act::Plain), c("LPUSH", Values::From(2), Act::Plain),
    c("LPUSHX", Values::From(2), Act::Plain), c("LRANGE", Values::None, Act::Plain),
    c("LREM", Values::From(3), Act::Plain), c("LSET", Values::From(3), Act::Plain),
    c("LTRIM", Values::None, Act::Plain), c("MEMORY", Values::None, Act::Plain),
    c("MGET", Values::None, Act::Plain), c("MIGRATE", Values::None, Act::Migrate),
    c("MODULE", Values::None, Act::Plain), c("MONITOR", Values::None, Act::Monitor),
    c("MOVE", Values::None, Act::Plain), c("MSET", Values::Pairs(2), Act::Plain),
    c("MSETEX", Values::From(3), Act::Plain), c("MSETNX", Values::Pairs(2), Act::Plain),
    c("MULTI", Values::None, Act::Plain), c("OBJECT", Values::None, Act::Plain),
    c("PERSIST", Values::None, Act::Plain), c("PEXPIRE", Values::None, Act::Plain),
    c("PEXPIREAT", Values::None, Act::Plain), c("PEXPIRETIME", Values::None, Act::Plain),
    c("PFADD", Values::From(2), Act::Plain), c("PFCOUNT", Values::None, Act::Plain),
    c("PFDEBUG", Values::None, Act::Plain), c("PFMERGE", Values::None, Act::Plain),
    c("PFSELFTEST", Values::None, Act::Plain), c("PING", Values::From(1), Act::Plain),
    c("PSETEX", Values::At(3), Act::Plain), c("PSUBSCRIBE", Values::None, Act::Subscribe(Topic::Pattern)),
    c("PSYNC", Values::None, Act::Sync), c("PTTL", Values::None, Act::Plain),
    c("PUBLISH", Values::At(2), Act::Plain), c("PUBSUB", Values::None, Act::Plain),
    c("PUNSUBSCRIBE", Values::None, Act::Unsubscribe(Topic::Pattern)), c("QUIT", Values::None, Act::Quit),
    c("RANDOMKEY", Values::None, Act::Plain), c("READONLY", Values::None, Act::Plain),
    c("READWRITE", Values::None, Act::Plain), c("RENAME", Values::None, Act::Plain),
    c("RENAMENX", Values::None, Act::Plain), c("REPLCONF", Values::None, Act::ReplConf),
    c("REPLICAOF", Values::None, Act::Plain), c("RESET", Values::None, Act::Reset),
    c("RESTORE", Values::At(3), Act::Plain), c("RESTORE-ASKING", Values::At(3), Act::Plain),
    c("ROLE", Values::None, Act::Plain), c("RPOP", Values::None, Act::Plain),
    c("RPOPLPUSH", Values::None, Act::Plain), c("RPUSH", Values::From(2), Act::Plain),
    c("RPUSHX", Values::From(2), Act::Plain), c("SADD", Values::From(2), Act::Plain),
    c("SAVE", Values::None, Act::Plain), c("SCAN", Values::None, Act::Plain), c("SCARD", Values::None, Act::Plain),
    c("SCRIPT", Values::None, Act::Plain), c("SDIFF", Values::None, Act::Plain),
    c("SDIFFSTORE", Values::None, Act::Plain), c("SELECT", Values::None, Act::Plain),
    c("SENTINEL", Values::None, Act::Config), c("SET", Values::At(2), Act::Plain),
    c("SETBIT", Values::At(3), Act::Plain), c("SETEX", Values::At(3), Act::Plain),
    c("SETNX", Values::At(2), Act::Plain), c("SETRANGE", Values::At(3), Act::Plain),
    c("SHUTDOWN", Values::None, Act::Plain), c("SINTER", Values::None, Act::Plain),
    c("SINTERCARD", Values::None, Act::Plain), c("SINTERSTORE", Values::None, Act::Plain),
    c("SISMEMBER", Values::From(2), Act::Plain), c("SLAVEOF", Values::None, Act::Plain),
    c("SLOWLOG", Values::None, Act::Plain), c("SMEMBERS", Values::None, Act::Plain),
    c("SMISMEMBER", Values::From(2), Act::Plain), c("SMOVE", Values::At(3), Act::Plain),
    c("SORT", Values::None, Act::Plain), c("SORT_RO", Values::None, Act::Plain),
    c("SPOP", Values::None, Act::Plain), c("SPUBLISH", Values::At(2), Act::Plain),
    c("SRANDMEMBER", Values::None, Act::Plain), c("SREM", Values::From(2), Act::Plain),
    c("SSCAN", Values::None, Act::Plain), c("SSUBSCRIBE", Values::None, Act::Subscribe(Topic::Shard)),
    c("STRLEN", Values::None, Act::Plain), c("SUBSCRIBE", Values::None, Act::Subscribe(Topic::Channel)),
    c("SUBSTR", Values::None, Act::Plain), c("SUNION", Values::None, Act::Plain),
    c("SUNIONSTORE", Values::None, Act::Plain), c("SUNSUBSCRIBE", Values::None, Act::Unsubscribe(Topic::Shard)),
    c("SWAPDB", Values::None, Act::Plain), c("SYNC", Values::None, Act::Sync), c("TIME", Values::None, Act::Plain),
    c("TOUCH", Values::None, Act::Plain), c("TTL", Values::None, Act::Plain), c("TYPE", Values::None, Act::Plain),
    c("UNLINK", Values::None, Act::Plain), c("UNSUBSCRIBE", Values::None, Act::Unsubscribe(Topic::Channel)),
    c("UNWATCH", Values::None, Act::Plain), c("VADD", Values::From(2), Act::Plain),
    c("VCARD", Values::None, Act::Plain), c("VDIM", Values::None, Act::Plain), c("VEMB", Values::None, Act::Plain),
    c("VGETATTR", Values::None, Act::Plain), c("VINFO", Values::None, Act::Plain),
    c("VISMEMBER", Values::None, Act::Plain), c("VLINKS", Values::None, Act::Plain),
    c("VRANDMEMBER", Values::None, Act::Plain), c("VRANGE", Values::None, Act::Plain),
    c("VREM", Values::None, Act::Plain), c("VSETATTR", Values::From(2), Act::Plain),
    c("VSIM", Values::None, Act::Plain), c("WAIT", Values::None, Act::Blocking),
    c("WAITAOF", Values::None, Act::Blocking), c("WATCH", Values::None, Act::Plain),
    c("XACK", Values::None, Act::Plain), c("XACKDEL", Values::None, Act::Plain),
    c("XADD", Values::From(2), Act::Plain), c("XAUTOCLAIM", Values::None, Act::Plain),
    c("XCFGSET", Values::None, Act::Plain), c("XCLAIM", Values::None, Act::Plain),
    c("XDEL", Values::None, Act::Plain), c("XDELEX", Values::None, Act::Plain),
    c("XGROUP", Values::None, Act::Plain), c("XINFO", Values::None, Act::Plain),
    c("XLEN", Values::None, Act::Plain), c("XPENDING", Values::None, Act::Plain),
    c("XRANGE", Values::None, Act::Plain), c("XREAD", Values::None, Act::MayBlock),
    c("XREADGROUP", Values::None, Act::MayBlock), c("XREVRANGE", Values::None, Act::Plain),
    c("XSETID", Values::None, Act::Plain), c("XTRIM", Values::None, Act::Plain),
    c("ZADD", Values::From(2), Act::Plain), c("ZCARD", Values::None, Act::Plain),
    c("ZCOUNT", Values::None, Act::Plain), c("ZDIFF", Values::None, Act::Plain),
    c("ZDIFFSTORE", Values::None, Act::Plain), c("ZINCRBY", Values::At(3), Act::Plain),
    c("ZINTER", Values::None, Act::Plain), c("ZINTERCARD", Values::None, Act::Plain),
    c("ZINTERSTORE", Values::None, Act::Plain), c("ZLEXCOUNT", Values::None, Act::Plain),
    c("ZMPOP", Values::None, Act::Plain), c("ZMSCORE", Values::From(2), Act::Plain),
    c("ZPOPMAX", Values::None, Act::Plain), c("ZPOPMIN", Values::None, Act::Plain),
    c("ZRANDMEMBER", Values::None, Act::Plain), c("ZRANGE", Values::None, Act::Plain),
    c("ZRANGEBYLEX", Values::None, Act::Plain), c("ZRANGEBYSCORE", Values::None, Act::Plain),
    c("ZRANGESTORE", Values::None, Act::Plain), c("ZRANK", Values::From(2), Act::Plain),
    c("ZREM", Values::From(2), Act::Plain), c("ZREMRANGEBYLEX", Values::None, Act::Plain),
    c("ZREMRANGEBYRANK", Values::None, Act::Plain), c("ZREMRANGEBYSCORE", Values::None, Act::Plain),
    c("ZREVRANGE", Values::None, Act::Plain), c("ZREVRANGEBYLEX", Values::None, Act::Plain),
    c("ZREVRANGEBYSCORE", Values::None, Act::Plain), c("ZREVRANK", Values::From(2), Act::Plain),
    c("ZSCAN", Values::None, Act::Plain), c("ZSCORE", Values::From(2), Act::Plain),
    c("ZUNION", Values::None, Act::Plain), c("ZUNIONSTORE", Values::None, Act::Plain),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_and_the_order_holds() {
        for command in COMMANDS {
            assert_eq!(find(command.name.as_bytes()).map(|found| found.name), Some(command.name));
        }
        assert!(COMMANDS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for unknown in [&b""[..], b"get", b"NOPE", b"\xff", b"@", b"Z", b"ZZZ"] {
            assert!(find(unknown).is_none());
        }
    }

    #[test]
    fn values_are_counted_from_one() {
        assert!(Values::Pairs(2).covers(4) && !Values::Pairs(2).covers(3));
        assert!(Values::At(2).covers(2) && !Values::At(2).covers(3));
        assert!(Values::From(2).covers(9) && !Values::From(2).covers(1));
    }
}
