//! The store's own time. Version numbers and signatures go by it, so that a laptop with a wrong clock makes neither
//! versions of tomorrow nor URLs that have expired before they are used.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeDeserializationInterceptorContextRef},
    error::BoxError,
};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimeParser};

/// How far the store's clock is from ours, learned from the `Date` of each answer.
#[derive(Debug, Clone, Default)]
pub struct StoreClock {
    ahead_secs: Arc<AtomicI64>,
}

impl StoreClock {
    /// Seconds since 1970 by the store.
    pub fn now(&self) -> u64 {
        let now = Timestamp::now().as_second().saturating_add(self.ahead_secs.load(Ordering::Relaxed));
        u64::try_from(now).unwrap_or(0)
    }

    /// The same as a time.
    pub fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.now())
    }

    fn learn(&self, date: &str) {
        if let Ok(theirs) = DateTimeParser::new().parse_timestamp(date) {
            let ahead: SignedDuration = theirs.duration_since(Timestamp::now());
            self.ahead_secs.store(ahead.as_secs(), Ordering::Relaxed);
        }
    }
}

impl Intercept for StoreClock {
    fn name(&self) -> &'static str {
        "StoreClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.learn(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_the_stores() {
        let clock = StoreClock::default();
        clock.learn("Fri, 01 Jan 2100 00:00:00 GMT");
        assert!((4_102_444_799..4_102_444_860).contains(&clock.now()), "{}", clock.now());
    }

    #[test]
    fn what_is_no_date_changes_nothing() {
        let clock = StoreClock::default();
        clock.learn("yesterday");
        assert!(clock.now().abs_diff(Timestamp::now().as_second().unsigned_abs()) <= 1);
    }
}
