//! Times and money as the screen says them: in texts that change at whole minutes, so that nothing is drawn between.

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use crate::core::{MicroDollars, figures};

/// How long ago, as short as a list needs it: `now`, `5m`, `2h`, `3d`.
pub(super) fn age(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.as_second().saturating_sub(at.as_second()).max(0) / 60;
    match minutes {
        0 => "now".to_owned(),
        1..60 => format!("{minutes}m"),
        60..1440 => format!("{}h", minutes / 60),
        _ => format!("{}d", minutes / 1440),
    }
}

/// When, in at most seven columns: today's time, this year's day, else the month with its year.
pub(super) fn when(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (zone.to_datetime(at), zone.to_datetime(now));
    let format = if at.date() == now.date() {
        "%H:%M"
    } else if at.date() > now.date().saturating_sub(300.days()) {
        "%b %d"
    } else {
        "%Y-%m"
    };
    at.strftime(format).to_string()
}

/// When, to the second, in at most sixteen columns; what is a year old to the minute.
pub(super) fn exactly(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (zone.to_datetime(at), zone.to_datetime(now));
    let format = if at.date() == now.date() {
        "%H:%M:%S"
    } else if at.date() > now.date().saturating_sub(300.days()) {
        "%b %d %H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M"
    };
    at.strftime(format).to_string()
}

/// Money of a day, to the cent.
pub(super) fn cents(money: MicroDollars) -> String {
    let cents = money.0.saturating_add(5_000) / 10_000;
    format!("${}.{:02}", cents / 100, cents % 100)
}

/// Tokens: `812 tokens`, `12 k tokens`.
pub(super) fn tokens(n: u64) -> String {
    match n {
        0..1000 => figures::count(n, "token", "tokens"),
        1000..1_000_000 => format!("{} k tokens", n / 1000),
        _ => format!("{}.{} M tokens", n / 1_000_000, n / 100_000 % 10),
    }
}

/// For how long something has run, in whole seconds.
pub(super) fn elapsed(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(since.as_second()).max(0);
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[rstest::rstest]
    #[case(-10, "now")]
    #[case(59, "now")]
    #[case(60, "1m")]
    #[case(3600, "1h")]
    #[case(86_399, "23h")]
    #[case(90_000_000, "1041d")]
    fn ages_change_at_whole_minutes(#[case] seconds: i64, #[case] shown: &str) {
        assert_eq!(age(at(NOW - seconds), at(NOW)), shown);
    }

    #[rstest::rstest]
    #[case(60, "22:12")]
    #[case(86_400, "Nov 13")]
    #[case(86_400 * 400, "2022-10")]
    fn times_say_as_much_as_is_needed(#[case] seconds: i64, #[case] shown: &str) {
        assert_eq!(when(at(NOW - seconds), at(NOW), &TimeZone::UTC), shown);
    }

    #[rstest::rstest]
    #[case(60, "22:12:20")]
    #[case(86_400, "Nov 13 22:13:20")]
    #[case(86_400 * 400, "2022-10-10 22:13")]
    fn exact_times_tell_versions_apart(#[case] seconds: i64, #[case] shown: &str) {
        assert_eq!(exactly(at(NOW - seconds), at(NOW), &TimeZone::UTC), shown);
    }

    #[rstest::rstest]
    #[case(0, "$0.00")]
    #[case(415_001, "$0.42")]
    #[case(12_999_999, "$13.00")]
    fn money_is_rounded_to_the_cent(#[case] micro: u64, #[case] shown: &str) {
        assert_eq!(cents(MicroDollars(micro)), shown);
    }
}
