//! How often one address may ask, in bounded memory.
//!
//! Contract: a fixed window of a minute per address (IPv6 by its /64). When too many addresses ask at once to be told apart, the new ones
//! share one window. Knows nothing about what is asked.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;

/// Addresses told apart at once.
const MAX_ADDRESSES: usize = 50_000;

/// Requests a minute for one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Pages looked at.
    pub looks: u32,
    /// Forms sent.
    pub forms: u32,
}

impl Rates {
    /// So many looks, and an eighth as many forms: a form is filled in by a person, a look also fetches what belongs to a page.
    pub fn of(looks: u32) -> Self {
        Self { looks: looks.max(1), forms: (looks / 8).max(1) }
    }
}

#[derive(Default)]
struct Window {
    looks: u32,
    forms: u32,
}

/// What was seen in one minute.
#[derive(Default)]
struct Seen {
    minute: u64,
    by: HashMap<IpAddr, Window>,
}

/// Counts by address.
pub struct Limits {
    rates: Rates,
    seen: Mutex<Seen>,
}

impl Limits {
    /// Nobody has asked yet.
    pub fn new(rates: Rates) -> Self {
        Self { rates, seen: Mutex::default() }
    }

    /// Seconds until the window that `millis` lies in is over, 1 to 60.
    pub fn wait(millis: u64) -> u64 {
        60 - millis % 60_000 / 1_000
    }

    /// Whether an address may ask now, `millis` on the monotonic clock.
    pub fn allows(&self, address: IpAddr, form: bool, millis: u64) -> bool {
        let minute = millis / 60_000;
        let Ok(mut seen) = self.seen.lock() else { return false };
        if seen.minute < minute {
            // Once a minute, however many ask, and never back: who read the clock a moment before belongs to the minute that has begun.
            *seen = Seen { minute, by: HashMap::new() };
        }
        let mut key = block(address);
        if seen.by.len() >= MAX_ADDRESSES && !seen.by.contains_key(&key) {
            key = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        }
        let window = seen.by.entry(key).or_default();
        let (count, most) = if form { (&mut window.forms, self.rates.forms) } else { (&mut window.looks, self.rates.looks) };
        *count = count.saturating_add(1);
        *count <= most
    }
}

/// What counts as one address: an IPv6 one by its /64, a mapped one as what it maps.
pub(super) fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let s = v6.segments();
            IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], s[3], 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_stopped_and_let_in_again_the_next_minute() {
        let limits = Limits::new(Rates { looks: 2, forms: 1 });
        let at = |ip: &str| ip.parse::<IpAddr>().unwrap();
        assert!(limits.allows(at("192.0.2.1"), true, 0) && !limits.allows(at("192.0.2.1"), true, 59_999));
        assert!(limits.allows(at("192.0.2.1"), false, 0), "looking is counted apart");
        assert!(limits.allows(at("192.0.2.2"), true, 0), "others are not touched");
        assert!(limits.allows(at("2001:db8::1"), true, 0) && !limits.allows(at("2001:db8::2"), true, 0), "one /64 is one address");
        assert!(!limits.allows(at("::ffff:192.0.2.2"), true, 0), "a mapped address is the same");
        assert!(limits.allows(at("192.0.2.1"), true, 60_000));
        assert!(!limits.allows(at("192.0.2.1"), true, 59_999), "who read the clock a moment before does not begin the minute anew");
    }

    #[test]
    fn memory_is_bounded_when_addresses_are_many() {
        let limits = Limits::new(Rates { looks: 1, forms: 1 });
        for i in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 100 {
            limits.allows(IpAddr::V4(i.into()), true, 0);
        }
        assert_eq!(limits.seen.lock().unwrap().by.len(), MAX_ADDRESSES + 1);
        limits.allows(IpAddr::V4(7.into()), true, 60_000);
        assert_eq!(limits.seen.lock().unwrap().by.len(), 1, "nothing of the minute before is gone through again");
    }
}
