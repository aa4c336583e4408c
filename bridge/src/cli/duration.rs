//! Durations as they are typed: `100ms`, `90s`, `15m`, `24h`, `7d`.

/// Milliseconds of a duration with a unit.
pub(super) fn parse_ms(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => {
            return Err(format!(
                "\"{text}\" needs a number and one of ms, s, m, h, d, such as 24h"
            ));
        }
    };
    let number: u64 = number
        .parse()
        .map_err(|_| format!("\"{text}\" does not begin with a number"))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("\"{text}\" is too long"))
}

/// A name and its duration, `flights=2h`.
pub(super) fn parse_named_ms(text: &str) -> Result<(String, u64), String> {
    let (name, duration) = text
        .split_once('=')
        .ok_or_else(|| format!("\"{text}\" is not NAME=DURATION"))?;
    Ok((name.into(), parse_ms(duration)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_what_they_say() {
        let cases = [
            ("100ms", 100),
            ("90s", 90_000),
            ("15m", 900_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
        ];
        for (text, ms) in cases {
            assert_eq!(parse_ms(text), Ok(ms));
        }
        assert_eq!(
            parse_named_ms("flights=2h"),
            Ok(("flights".into(), 7_200_000))
        );
    }

    #[test]
    fn what_has_no_unit_or_overflows_is_refused() {
        for text in [
            "",
            "5",
            "h",
            "-1s",
            "1.5h",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert!(parse_ms(text).is_err(), "{text}");
        }
    }
}
