use std::sync::atomic::Ordering;

use super::super::fixtures::{self, Dice};
use super::super::{Aggregate, QueryStats, aggregate, facets};
use super::*;
use crate::model::{Span, SpanKind, TimeRange, UnixNanos};
use crate::rollup::MINUTE;
use crate::snapshot::Snapshot;
use crate::store::Signal;

fn engine(concurrent: usize) -> Arc<Engine> {
    let mut config = Config::new(std::env::temp_dir());
    config.concurrent_queries = concurrent;
    Arc::new(Engine::new(&config, &Registry::default()))
}

#[tokio::test]
async fn a_full_queue_refuses_and_light_questions_pass_it() {
    let engine = engine(1);
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let mut tasks = Vec::new();
    {
        let engine = engine.clone();
        tasks.push(tokio::spawn(async move { engine.run("a", Weight::Heavy, move |_| Ok(blocked.recv().is_ok())).await }));
    }
    while engine.heavy.permits.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..8 {
        let engine = engine.clone();
        tasks.push(tokio::spawn(async move { engine.run("b", Weight::Heavy, |_| Ok(true)).await }));
    }
    while engine.heavy.waiting.load(Ordering::Relaxed) < 8 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(engine.run("c", Weight::Heavy, |_| Ok(())).await, Err(QueryError::Busy)));
    assert!(engine.run("d", Weight::Light, |_| Ok(())).await.is_ok());
    release.send(()).unwrap();
    for task in tasks {
        assert!(task.await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn statements_leave_places_to_searches_and_waiting_is_a_part_of_the_time_allowed() {
    let engine = engine(4);
    let mut statements = Vec::new();
    for _ in 0..6 {
        let engine = engine.clone();
        let never = std::future::pending::<Result<(), QueryError>>();
        statements.push(tokio::spawn(async move { engine.run_async("sql", Duration::from_millis(300), |_| never).await }));
    }
    while engine.statements.waiting.load(Ordering::Relaxed) < 4 {
        tokio::task::yield_now().await;
    }
    engine.run("a", Weight::Heavy, |_| Ok(())).await.unwrap();
    assert!(engine.statements.waiting.load(Ordering::Relaxed) > 0, "statements still wait, and the search did not");
    let begun = Instant::now();
    for statement in statements {
        assert!(statement.await.unwrap().is_err());
    }
    assert!(begun.elapsed() < Duration::from_millis(550), "those that waited have no more time than others: {:?}", begun.elapsed());
}

#[tokio::test]
async fn work_ends_when_its_caller_goes_away() {
    let engine = engine(1);
    let (ended, wait) = tokio::sync::oneshot::channel();
    let question = engine.run("a", Weight::Heavy, move |control| {
        while control.check().is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = ended.send(());
        Ok(())
    });
    assert!(tokio::time::timeout(Duration::from_millis(20), question).await.is_err());
    wait.await.unwrap();
    engine.run("b", Weight::Heavy, |_| Ok(())).await.unwrap();
}

#[tokio::test]
async fn a_question_that_panics_is_an_error_and_the_engine_goes_on() {
    let engine = engine(1);
    let result: Result<(), _> = engine.run("a", Weight::Heavy, |_| panic!("on purpose")).await;
    assert!(matches!(result, Err(QueryError::Internal(_))));
    engine.run("b", Weight::Heavy, |_| Ok(())).await.unwrap();
    assert!(engine.registry.render().contains("throughline_query_errors_total{kind=\"a\",reason=\"internal\"} 1"));
}

/// Calls from one service to another, halves of them in different places and some in two.
fn calls(folder: &std::path::Path, noon: u64) -> Snapshot {
    let mut dice = Dice(77);
    let mut places = vec![Vec::<Span>::new(); 5];
    for i in 1..=300 {
        let start = noon + i * MINUTE / 20;
        let mut client = fixtures::span(i, 2 * i, 0, "api", "call", start, 100);
        let mut server = fixtures::span(i, 2 * i + 1, 2 * i, "pay", "take", start + 10, 50 + i);
        (client.kind, server.kind) = (SpanKind::Client, SpanKind::Server);
        let (a, b) = (dice.count(5), if dice.roll(10) == 0 { dice.count(5) } else { 0 });
        places[a].extend([client.clone(), server.clone()]);
        places[b].extend((dice.roll(20) == 0).then_some(server));
    }
    let mut batches = places.iter().map(|spans| fixtures::spans(spans));
    let buffered = batches.by_ref().take(1).collect();
    fixtures::snapshot(folder, Signal::Traces, buffered, batches.map(|batch| vec![batch]).collect())
}

#[tokio::test]
async fn the_same_question_on_the_same_data_says_the_same_whatever_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let noon = 1_700_000_000_000_000_000 / MINUTE * MINUTE;
    let snapshot = Arc::new(calls(folder.path(), noon));
    let engine = engine(1);
    // A part of a minute at both ends.
    let range = TimeRange { from: UnixNanos::new(noon + MINUTE + 7_000), to: UnixNanos::new(noon + 12 * MINUTE + 9_000) };
    let mut told: Vec<Vec<QueryStats>> = Vec::new();
    for round in 0..4 {
        let map = engine.service_map(snapshot.clone(), range, UnixNanos::new(noon + 60 * MINUTE)).await.unwrap();
        let services = engine.services(snapshot.clone(), range, 4).await.unwrap();
        let operations = engine.operations(snapshot.clone(), "pay", range).await.unwrap();
        let (of, rolls) = (snapshot.clone(), engine.rolls());
        let rest = engine.run("rest", Weight::Heavy, move |control| {
            let values = |query, field| facets(&of, Signal::Traces, query, range, (field, 10), &rolls, control);
            let group_by = vec!["service".to_owned()];
            let measures = vec!["count".parse()?, "p95".parse()?];
            let ask = Aggregate { signal: Signal::Traces, query: String::new(), range, group_by, measures, step: None, limit: 10 };
            Ok([values("", "service")?.stats, values("duration>60ns", "name")?.stats, aggregate(&of, &ask, &rolls, control)?.stats])
        });
        let [by_service, by_name, sums] = rest.await.unwrap();
        let all = [map.stats, services.1, operations.1, by_service, by_name, sums];
        told.push(all.into_iter().map(|stats| QueryStats { elapsed: Duration::ZERO, ..stats }).collect());
        match round {
            0 => {}
            1 => engine.cache.clear(),
            _ => {
                engine.cache.clear();
                engine.rolls.clear();
                engine.calls.clear();
            }
        }
    }
    assert!(told[0].iter().all(|stats| stats.complete && stats.rows_scanned > 0), "{:?}", told[0]);
    assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:#?}");
}
