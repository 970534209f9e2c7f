//! Sizes in bytes with a unit.

/// Reads `1500000`, `512MiB`, `1.5GiB` or `2GB` as bytes. The error says what is allowed.
pub(super) fn parse_size(text: &str) -> Result<usize, String> {
    let wrong = || {
        format!(
            "`{text}` is not a size; allowed is a number with an optional unit B, kB, MB, GB, KiB, MiB or GiB, for example `1.5GiB`"
        )
    };
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" | "ki" => 1024.0,
        "mib" | "mi" => 1024.0 * 1024.0,
        "gib" | "gi" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let bytes = number * factor;
    if (1.0..1e18).contains(&bytes) { Ok(bytes as usize) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn units_are_decimal_or_binary() {
        assert_eq!(parse_size("1500000"), Ok(1_500_000));
        assert_eq!(parse_size("2GB"), Ok(2_000_000_000));
        assert_eq!(parse_size("1.5 GiB"), Ok(1_610_612_736));
        assert_eq!(parse_size("512Mi"), Ok(536_870_912));
    }

    #[test]
    fn anything_else_is_an_error_that_says_what_is_allowed() {
        for text in ["", "many", "-1GB", "0", "5 apples", "NaN"] {
            let message = parse_size(text).expect_err(text);
            assert!(message.contains("1.5GiB"), "{message}");
        }
    }
}
