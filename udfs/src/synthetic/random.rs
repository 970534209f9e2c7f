//! Counter-based randomness: a stream of draws is a pure function of two integers, so any event
//! can be made alone, in any order, on any machine.

use std::f64::consts::TAU;

/// The golden ratio times 2^64: the increment of SplitMix64.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit.
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A SplitMix64 stream.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The stream number `stream` of `seed`.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self(mix(mix(seed).wrapping_add(stream.wrapping_mul(GOLDEN))))
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in [low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in 0..n; 0 for n = 0.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Two independent standard normal values (Box, Muller 1958).
    pub(super) fn normals(&mut self) -> (f64, f64) {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        let (sin, cos) = libm::sincos(TAU * self.uniform());
        (radius * cos, radius * sin)
    }

    /// Pareto value with minimum 1 and tail index `alpha`.
    pub(super) fn pareto(&mut self, alpha: f64) -> f64 {
        libm::pow(1.0 - self.uniform(), -1.0 / alpha)
    }
}

/// Draws an index with given weights in constant time (alias method: Walker 1977, Vose 1991).
#[derive(Debug)]
pub(super) struct Weighted(Vec<Slot>);

/// Stands for its own index with probability `keep`, for `alias` otherwise.
#[derive(Debug, Clone, Copy)]
struct Slot {
    keep: f64,
    alias: u32,
}

impl Weighted {
    /// Index i is drawn with probability `weights[i] / sum`. Weights are positive.
    pub(super) fn new(weights: &[f64]) -> Self {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut slots: Vec<Slot> = (0..weights.len() as u32)
            .zip(weights)
            .map(|(alias, weight)| Slot { keep: weight / mean, alias })
            .collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..slots.len()).partition(|&i| slots[i].keep < 1.0);
        // Each small slot is filled up by a large one, which shrinks by what it gave.
        while let (Some(&low), Some(&high)) = (small.last(), large.last()) {
            small.pop();
            slots[low].alias = high as u32;
            slots[high].keep -= 1.0 - slots[low].keep;
            if slots[high].keep < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Self(slots)
    }

    /// Draws an index.
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let index = random.below(self.0.len() as u32) as usize;
        let slot = self.0[index];
        if random.chance(slot.keep) { index } else { slot.alias as usize }
    }
}
