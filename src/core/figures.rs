//! Figures as people read them.

use jiff::Timestamp;

/// How long ago, in one unit: `40 s`, `5 min`, `2 h`, `3 d`. A clock that went back counts as now.
pub fn age(at: Timestamp, now: Timestamp) -> String {
    let secs = now.as_second().saturating_sub(at.as_second()).max(0);
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min", secs / 60),
        3600..86_400 => format!("{} h", secs / 3600),
        _ => format!("{} d", secs / 86_400),
    }
}

/// Bytes in decimal units with two or three figures: `999 B`, `1.5 kB`, `23 MB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut scaled, mut unit) = (bytes, 0);
    while scaled >= 1_000_000 && unit + 1 < UNITS.len() {
        scaled /= 1000;
        unit += 1;
    }
    let (whole, tenth) = (scaled / 1000, scaled % 1000 / 100);
    if whole < 10 { format!("{whole}.{tenth} {}", UNITS[unit]) } else { format!("{whole} {}", UNITS[unit]) }
}

/// Milliseconds: `0.4 s`, `14.1 s`, `3 min 20 s`.
pub fn duration(ms: u64) -> String {
    if ms < 100_000 {
        format!("{}.{} s", ms / 1000, ms % 1000 / 100)
    } else {
        format!("{} min {} s", ms / 60_000, ms / 1000 % 60)
    }
}

/// A number and its noun.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(-5, "0 s")]
    #[case(59, "59 s")]
    #[case(3599, "59 min")]
    #[case(86_399, "23 h")]
    #[case(700_000, "8 d")]
    fn ages(#[case] secs: i64, #[case] shown: &str) {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(age(at, Timestamp::from_second(1_700_000_000 + secs).unwrap()), shown);
    }

    #[rstest::rstest]
    #[case(0, "0 B")]
    #[case(999, "999 B")]
    #[case(1500, "1.5 kB")]
    #[case(23_400_000, "23 MB")]
    #[case(u64::MAX, "18 EB")]
    fn sizes(#[case] bytes: u64, #[case] shown: &str) {
        assert_eq!(size(bytes), shown);
    }

    #[rstest::rstest]
    #[case(449, "0.4 s")]
    #[case(14_100, "14.1 s")]
    #[case(200_000, "3 min 20 s")]
    fn durations(#[case] ms: u64, #[case] shown: &str) {
        assert_eq!(duration(ms), shown);
    }
}
