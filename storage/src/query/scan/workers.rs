//! Work of one question on both cores.
//!
//! Owns how many threads there are and what becomes of one that fails. Knows nothing of what they do.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Control;
use crate::query::question::QueryError;

pub(super) const WORKERS: usize = 2;

/// What each worker makes of a share of the work, which they divide among themselves.
pub(super) fn on_all<S: Send>(work: impl Fn() -> Result<S, QueryError> + Sync) -> Vec<Result<S, QueryError>> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..WORKERS).map(|_| scope.spawn(&work)).collect();
        let mut results = vec![work()];
        let failed = || Err(QueryError::Internal("a query thread failed unexpectedly".to_owned()));
        results.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|_| failed())));
        results
    })
}

/// What `work` makes of each of these, in their order.
pub(super) fn each<T: Sync, S: Send>(items: &[T], control: &Control, work: impl Fn(&T) -> S + Sync) -> Result<Vec<S>, QueryError> {
    let next = AtomicUsize::new(0);
    let parts = on_all(|| {
        let mut part = Vec::new();
        loop {
            control.check()?;
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { return Ok(part) };
            part.push((number, work(item)));
        }
    });
    let parts: Vec<Vec<_>> = parts.into_iter().collect::<Result<_, _>>()?;
    let mut all: Vec<_> = parts.into_iter().flatten().collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, made)| made).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_are_in_the_order_of_what_they_are_of() {
        let items: Vec<u64> = (0..1_000).collect();
        let control = Control::new(Duration::from_secs(60));
        let made = each(&items, &control, |item| item * 2).unwrap();
        assert_eq!(made, items.iter().map(|item| item * 2).collect::<Vec<_>>());
    }

    #[test]
    fn cancelled_work_ends_with_an_error() {
        let control = Control::new(Duration::from_secs(60));
        control.cancel();
        assert!(each(&[1, 2, 3], &control, |item| *item).is_err());
    }
}
