use super::*;

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
