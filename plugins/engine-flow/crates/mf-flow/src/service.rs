//! Which (address, port) pairs behave like servers: the score table of the direction (reference 3.6).

use mf_packet::{Addr, Mixer};

/// Sure: it answered a SYN.
pub(crate) const CERTAIN: u8 = 255;
/// A parser said so.
pub(crate) const BY_PARSER: u8 = 254;
/// Configured as a server port.
pub(crate) const BY_CONFIG: u8 = 253;
/// The most that packets alone can give.
pub(crate) const BY_PACKETS: u8 = 252;

const WAYS: usize = 8;

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    addr: Addr,
    port: u16,
    /// 0: an empty cell.
    score: u8,
    used: u32,
}

/// A set-associative table: each pair has eight places, the least recently used gives way.
#[derive(Debug)]
pub(crate) struct Services {
    cells: Vec<Cell>,
    sets: u64,
    clock: u32,
}

impl Services {
    /// A table for about `size` services.
    pub fn new(size: usize) -> Self {
        let sets = size.div_ceil(WAYS).max(1);
        Self {
            cells: vec![Cell::default(); sets * WAYS],
            sets: sets as u64,
            clock: 0,
        }
    }

    fn set(&mut self, addr: Addr, port: u16) -> &mut [Cell] {
        let hash = Mixer::new(u64::from(port))
            .word(addr.hi)
            .word(addr.lo)
            .finish();
        let at = (hash % self.sets) as usize * WAYS;
        self.cells.get_mut(at..at + WAYS).unwrap_or(&mut [])
    }

    /// The score, 0 when unknown.
    pub fn score(&mut self, addr: Addr, port: u16) -> u8 {
        self.clock = self.clock.wrapping_add(1);
        let clock = self.clock;
        for cell in self.set(addr, port) {
            if cell.score != 0 && cell.port == port && cell.addr == addr {
                cell.used = clock;
                return cell.score;
            }
        }
        0
    }

    /// Sets the score; 0 forgets the pair.
    pub fn put(&mut self, addr: Addr, port: u16, score: u8) {
        self.clock = self.clock.wrapping_add(1);
        let clock = self.clock;
        let set = self.set(addr, port);
        let at = set
            .iter()
            .position(|cell| cell.score != 0 && cell.port == port && cell.addr == addr)
            .or_else(|| {
                // An empty cell, else the one unused for longest.
                (0..set.len()).max_by_key(|&i| {
                    set.get(i).map_or(0, |cell| {
                        if cell.score == 0 {
                            u32::MAX
                        } else {
                            clock.wrapping_sub(cell.used)
                        }
                    })
                })
            });
        if let Some(cell) = at.and_then(|at| set.get_mut(at)) {
            if score != 0 || (cell.port == port && cell.addr == addr) {
                *cell = Cell {
                    addr,
                    port,
                    score,
                    used: clock,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_forgets_and_drops_the_least_recently_used() {
        let mut services = Services::new(8);
        for port in 1..=8 {
            services.put(Addr::v4(1), port, 10);
        }
        assert_eq!(services.score(Addr::v4(1), 1), 10);
        services.put(Addr::v4(1), 9, 20); // the table is full: 2 is the one unused for longest
        assert_eq!(
            [1, 2, 3, 9].map(|port| services.score(Addr::v4(1), port)),
            [10, 0, 10, 20]
        );
        services.put(Addr::v4(1), 9, 0);
        services.put(Addr::v4(1), 77, 0);
        assert_eq!(services.score(Addr::v4(1), 9), 0);
        assert_eq!(
            [1, 3, 4, 5, 6, 7, 8].map(|port| services.score(Addr::v4(1), port)),
            [10; 7]
        );
    }
}
