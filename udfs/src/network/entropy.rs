//! Entropy of text: random-looking names, as of generated domains, have much of it.

/// Shannon entropy of the characters of a text, in bits per character: Unicode scalar values.
/// 0 for an empty text.
pub fn shannon_entropy(text: &str) -> f64 {
    if text.is_ascii() {
        return shannon_entropy_of_bytes(text.as_bytes());
    }
    let mut characters: Vec<char> = text.chars().collect();
    characters.sort_unstable();
    let runs = characters.chunk_by(|one, next| one == next).map(<[char]>::len);
    entropy(runs, characters.len())
}

/// Shannon entropy of bytes, in bits per byte. 0 for no bytes.
pub fn shannon_entropy_of_bytes(bytes: &[u8]) -> f64 {
    let mut counts = [0; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    entropy(counts.into_iter().filter(|&count| count > 0), bytes.len())
}

/// The sum of `p log2(1 / p)` over the counts of `total` symbols, in the order of the symbols, so
/// that the bits of the result do not depend on the order in the text.
fn entropy(counts: impl Iterator<Item = usize>, total: usize) -> f64 {
    let total = total as f64;
    counts.map(|count| count as f64).map(|count| count / total * libm::log2(total / count)).sum()
}
