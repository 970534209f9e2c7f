//! A generator whose values never change between versions of this program or of a library.

/// SplitMix64 (Steele, Lea, Flood 2014): 64 bits of state, passes BigCrush.
pub(super) struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

    /// The generator of one `stream` (a tree) under a seed, independent of all other streams, so
    /// that trees may be grown in any order.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let stream = Self::mix(stream.wrapping_add(1).wrapping_mul(Self::GAMMA));
        Self { state: Self::mix(seed ^ stream) }
    }

    fn mix(mut z: u64) -> u64 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(Self::GAMMA);
        Self::mix(self.state)
    }

    /// A uniform integer below `bound`, without bias (Lemire 2019). `bound` must not be 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let bound = u64::from(bound);
        let unfair = (1 << 32) % bound;
        loop {
            let product = (self.next() >> 32) * bound;
            if product & u64::from(u32::MAX) >= unfair {
                return (product >> 32) as u32;
            }
        }
    }

    /// A uniform number in the open interval (0, 1).
    pub(super) fn open_unit(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// A number of the standard normal distribution (Box, Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.open_unit()));
        radius * libm::cos(std::f64::consts::TAU * self.open_unit())
    }

    /// A fair coin.
    pub(super) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values of SplitMix64 with state 1234567, as published with the algorithm.
    #[test]
    fn values_are_the_published_ones() {
        let mut rng = SplitMix64 { state: 1_234_567 };
        let values: Vec<u64> = (0..3).map(|_| rng.next()).collect();
        assert_eq!(
            values,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn streams_differ_and_ranges_hold() {
        let mut a = SplitMix64::new(42, 0);
        let mut b = SplitMix64::new(42, 1);
        assert_ne!(a.next(), b.next());
        let mut seen = [0_u32; 5];
        for _ in 0..50_000 {
            seen[a.below(5) as usize] += 1;
            let unit = a.open_unit();
            assert!(unit > 0.0 && unit < 1.0);
        }
        assert!(seen.iter().all(|count| (9_500..10_500).contains(count)), "{seen:?}");
    }

    /// Shares of the standard normal distribution below -1, 0, 1 and 2 (table of Phi).
    #[test]
    fn normal_numbers_are_normal() {
        let mut rng = SplitMix64::new(42, 0);
        let drawn: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        for (limit, share) in [(-1.0, 0.1587), (0.0, 0.5), (1.0, 0.8413), (2.0, 0.9772)] {
            let below = drawn.iter().filter(|number| **number < limit).count();
            assert!((below as f64 / 1e5 - share).abs() < 0.005, "{limit}: {below}");
        }
    }
}
