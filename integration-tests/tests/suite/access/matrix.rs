//! Principal by verb by dataset by route: what is granted happens, and nothing else.

use super::Closed;
use arrow_array::RecordBatch;
use flinkspark_bridge::client::{Client, answer, look_up};
use flinkspark_bridge::parts::connector::flight::body::{
    BeginRequest, ConsumeRequest, PutCommand, ReadCommand,
};
use flinkspark_bridge::parts::model::access::{Caller, Grant, Principal, Verb};
use flinkspark_bridge::parts::model::name::DatasetName;
use flinkspark_bridge::parts::model::port::Mode;
use flinkspark_bridge::parts::model::{Error, Kind, Result};
use flinkspark_integration_tests::Step;
use flinkspark_proto::v1;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

const PRINCIPALS: [(&str, &[&str]); 9] = [
    ("reader", &["web:read"]),
    ("writer", &["web:write"]),
    ("maker", &["web:create"]),
    ("chief", &["web:admin"]),
    ("loader", &["web:read,write"]),
    ("neighbour", &["lab:admin"]),
    ("exact", &["web.clicks:read", "webs:write"]),
    ("everywhere", &["*:read,write,create"]),
    ("root", &["*:admin"]),
];

const DATASETS: [&str; 3] = ["web.clicks", "webs", "lab.notes"];

/// What a route needs of its dataset.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Needs {
    Verb(Verb),
    /// Any verb.
    Sight,
    /// To administer the bridge.
    Bridge,
}

/// Every call that names a dataset, and two that do not.
const ROUTES: [(&str, Needs); 34] = [
    ("Catalog/Lookup", Needs::Sight),
    ("Catalog/Head", Needs::Sight),
    ("Catalog/Lineage", Needs::Sight),
    ("Catalog/Epochs", Needs::Verb(Verb::Read)),
    ("Catalog/Register", Needs::Verb(Verb::Create)),
    ("Catalog/Update", Needs::Verb(Verb::Admin)),
    ("Catalog/Drop", Needs::Verb(Verb::Admin)),
    ("Flight/GetFlightInfo", Needs::Verb(Verb::Read)),
    ("Flight/DoGet", Needs::Verb(Verb::Read)),
    ("Flight/DoAction begin", Needs::Verb(Verb::Write)),
    ("Flight/DoAction commit", Needs::Verb(Verb::Write)),
    ("Flight/DoAction abort", Needs::Verb(Verb::Write)),
    ("Flight/DoAction status", Needs::Verb(Verb::Write)),
    ("Flight/DoAction transactions", Needs::Verb(Verb::Write)),
    ("Flight/DoAction open_writer", Needs::Verb(Verb::Write)),
    ("Flight/DoAction part", Needs::Verb(Verb::Write)),
    ("Flight/DoAction writer's commit", Needs::Verb(Verb::Write)),
    ("Flight/DoAction writer's abort", Needs::Verb(Verb::Write)),
    ("Flight/DoAction writer's status", Needs::Verb(Verb::Write)),
    ("Flight/DoAction ticket", Needs::Verb(Verb::Read)),
    ("Flight/DoAction head", Needs::Verb(Verb::Read)),
    ("Flight/DoAction epochs", Needs::Verb(Verb::Read)),
    ("Flight/DoAction register", Needs::Verb(Verb::Create)),
    ("Flight/DoAction lookup", Needs::Sight),
    ("Flight/DoAction alter", Needs::Verb(Verb::Admin)),
    ("Flight/DoAction drop", Needs::Verb(Verb::Admin)),
    ("Flight/DoAction consume", Needs::Verb(Verb::Read)),
    ("Flight/DoAction consumers", Needs::Verb(Verb::Read)),
    ("Flight/DoPut", Needs::Verb(Verb::Write)),
    ("Flight/query", Needs::Verb(Verb::Read)),
    ("Jobs/Explain", Needs::Verb(Verb::Read)),
    ("Jobs/Submit reads", Needs::Verb(Verb::Read)),
    ("Server/Settings", Needs::Bridge),
    ("Tokens/List", Needs::Bridge),
];

/// Whether the rule as it is documented allows it.
fn granted(grants: &[&str], needs: Needs, dataset: &str) -> Result<bool> {
    let parsed: Vec<Grant> = grants
        .iter()
        .map(|grant| grant.parse())
        .collect::<Result<_>>()?;
    let caller = Caller::granted(Principal::new("x")?, parsed);
    let name = DatasetName::new(dataset)?;
    Ok(match needs {
        Needs::Verb(verb) => caller.may(verb, &name).is_ok(),
        Needs::Sight => caller.sees(&name).is_ok(),
        Needs::Bridge => grants == ["*:admin"],
    })
}

/// What a call is about.
struct About<'a> {
    dataset: &'a str,
    id: &'a str,
    schema: &'a str,
    txn: &'a str,
    principal: &'a str,
}

async fn call(client: &mut Client, route: &str, about: &About<'_>) -> Result<()> {
    let About {
        dataset,
        id,
        schema,
        txn,
        ..
    } = *about;
    let reference = Some(v1::Reference {
        by: Some(v1::reference::By::Name(dataset.into())),
    });
    let read = ReadCommand {
        dataset: dataset.into(),
        ..ReadCommand::default()
    };
    match route {
        "Catalog/Lookup" => look_up(client, dataset).await.map(drop),
        "Catalog/Head" => {
            answer(client.catalog.head(v1::HeadRequest { reference }).await).map(drop)
        }
        "Catalog/Lineage" => answer(
            client
                .catalog
                .lineage(v1::LineageRequest { reference })
                .await,
        )
        .map(drop),
        "Catalog/Epochs" => {
            let request = v1::EpochsRequest {
                reference,
                after_slot: 0,
                limit: 1,
            };
            answer(client.catalog.epochs(request).await).map(drop)
        }
        "Catalog/Register" => {
            let request = v1::RegisterRequest {
                name: dataset.into(),
                schema: schema.into(),
                ..v1::RegisterRequest::default()
            };
            answer(client.catalog.register(request).await).map(drop)
        }
        "Catalog/Update" => {
            let request = v1::UpdateRequest {
                id: id.into(),
                version: u64::MAX,
                change: Some(v1::update_request::Change::Rename(format!("{dataset}.old"))),
                ..v1::UpdateRequest::default()
            };
            answer(client.catalog.update(request).await).map(drop)
        }
        "Catalog/Drop" => {
            let request = v1::DropRequest {
                id: id.into(),
                version: u64::MAX,
            };
            answer(client.catalog.drop(request).await).map(drop)
        }
        "Flight/GetFlightInfo" => client.flight.info(&read).await.map(drop),
        "Flight/DoGet" => {
            let info = client.flight.info(&read).await?;
            let rows: Vec<RecordBatch> = client.flight.get(&info).try_collect().await?;
            drop(rows);
            Ok(())
        }
        "Flight/DoAction begin" => {
            let begun = client.flight.begin(&begin(dataset)).await?;
            client.flight.abort(&begun.txn.to_string()).await.map(drop)
        }
        "Flight/DoAction commit" => client.flight.commit(txn, Vec::new()).await.map(drop),
        "Flight/DoAction abort" => client.flight.abort(txn).await.map(drop),
        "Flight/DoAction status" => client.flight.status(txn).await.map(drop),
        "Flight/DoAction transactions" => client.flight.transactions(dataset).await.map(drop),
        "Flight/DoAction consume" => {
            let request = ConsumeRequest {
                dataset: dataset.into(),
                consumer: "matrix".into(),
                slot: u64::MAX,
            };
            client.flight.consume(&request).await.map(drop)
        }
        "Flight/DoAction consumers" => client.flight.consumers(dataset).await.map(drop),
        route if route.starts_with("Flight/DoAction ") => act(client, route, about).await,
        "Flight/DoPut" => {
            let command = PutCommand {
                txn: txn.into(),
                partition: 0,
                attempt: 0,
            };
            let schema = std::sync::Arc::new(arrow_schema::Schema::empty());
            let rows = futures::stream::empty().boxed();
            client
                .flight
                .put(&command, &schema, rows, &|_| {})
                .await
                .map(drop)
        }
        "Flight/query" => {
            let query =
                serde_json::json!({ "query": format!("SELECT * FROM {dataset}"), "on": "batch" });
            let query = serde_json::from_value(query).map_err(|cause| {
                Error::new(Kind::Internal, "FS0000", "a query").with_source(cause)
            })?;
            client.flight.query(&query).await.map(drop)
        }
        "Jobs/Explain" => {
            let request = v1::ExplainRequest {
                text: format!("INSERT INTO x SELECT * FROM {dataset}"),
                ..v1::ExplainRequest::default()
            };
            let plans = answer(client.jobs.explain(request).await)?.plans;
            match plans.into_iter().find_map(|plan| plan.refusal) {
                Some(refusal) => Err(Error::from_wire(
                    Kind::Forbidden,
                    refusal.code,
                    refusal.message,
                )),
                None => Ok(()),
            }
        }
        "Jobs/Submit reads" => {
            // A text that no engine takes: the caller is asked before.
            submit(
                client,
                &format!("INSERT INTO web.to SELECT nothing FROM {dataset}"),
            )
            .await
        }
        "Server/Settings" => answer(client.server.settings(v1::SettingsRequest {}).await).map(drop),
        _ => answer(client.tokens.list(v1::ListTokensRequest {}).await).map(drop),
    }
}

/// An action by its body; where it is allowed it may be refused for other reasons.
async fn act(client: &mut Client, route: &str, about: &About<'_>) -> Result<()> {
    let (dataset, id) = (about.dataset, about.id);
    let name = route.trim_start_matches("Flight/DoAction ");
    let name = name.trim_start_matches("writer's ");
    let writer = json!({ "dataset": dataset, "writer": about.principal });
    let with = |more: Value| match (writer.clone(), more) {
        (Value::Object(mut body), Value::Object(more)) => {
            body.extend(more);
            Value::Object(body)
        }
        (body, _) => body,
    };
    let body = match name {
        "open_writer" => with(json!({ "incarnation": "one" })),
        "part" => with(json!({ "key": "k", "receipts": [] })),
        "commit" => with(json!({ "generation": 1, "n": 1, "token": "t", "receipts": [] })),
        "abort" => with(json!({ "receipts": [] })),
        "status" => writer,
        "ticket" => json!({ "dataset": dataset, "partition": 0 }),
        "register" => json!({ "name": dataset, "schema": "" }),
        // Nothing has this version.
        "alter" => json!({ "dataset": id, "version": 999_999, "traits": {} }),
        "drop" => json!({ "dataset": id, "version": 999_999 }),
        _ => json!({ "dataset": dataset }),
    };
    client.flight.act::<Value>(name, &body).await.map(drop)
}

async fn submit(client: &mut Client, text: &str) -> Result<()> {
    let request = v1::SubmitRequest {
        id: "never".into(),
        text: text.into(),
        target: v1::Target::Batch.into(),
        ..v1::SubmitRequest::default()
    };
    answer(client.jobs.submit(request).await).map(drop)
}

fn begin(dataset: &str) -> BeginRequest {
    BeginRequest {
        dataset: dataset.into(),
        id: None,
        mode: Mode::Append,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_principal_may_on_every_route_what_its_grants_say_and_nothing_else() -> Step {
    let closed = Closed::start(&PRINCIPALS)?;
    let mut admin = closed.client(Some("admin")).await?;
    for action in admin.flight.actions().await? {
        // These are of whoever has the ticket, and of nobody's dataset.
        let other = ["renew", "list"].contains(&action.as_str());
        let known = ROUTES
            .iter()
            .any(|(route, _)| route.ends_with(&format!(" {action}")));
        assert!(known || other, "{action} has no rule here");
    }
    let (mut allowed, mut refused) = (0, 0);
    for dataset in DATASETS {
        let record = look_up(&mut admin, dataset)
            .await?
            .dataset
            .unwrap_or_default();
        let about = About {
            dataset,
            id: &record.id,
            schema: &record.schema,
            txn: "x",
            principal: "nobody",
        };
        for (principal, grants) in PRINCIPALS {
            let mut client = closed.client(Some(principal)).await?;
            for (route, needs) in ROUTES {
                // A transaction of its own where it can have one, of the admin's where it cannot.
                let begun = match client.flight.begin(&begin(dataset)).await {
                    Ok(begun) => begun,
                    Err(_) => admin.flight.begin(&begin(dataset)).await?,
                };
                let txn = begun.txn.to_string();
                let result = call(
                    &mut client,
                    route,
                    &About {
                        txn: &txn,
                        principal,
                        ..about
                    },
                )
                .await;
                let _ = admin.flight.abort(&txn).await;
                let denied = matches!(&result, Err(error) if error.code() == "FS1103");
                let expected = granted(grants, needs, dataset)?;
                assert_eq!(
                    !denied, expected,
                    "{principal} {route} {dataset}: {result:?}"
                );
                if let Err(error) = &result {
                    assert!(
                        !["FS1102", "FS1105"].contains(&error.code()),
                        "{route}: {error}"
                    );
                    assert_eq!(denied, error.kind() == Kind::Forbidden, "{route}: {error}");
                }
                match expected {
                    true => allowed += 1,
                    false => refused += 1,
                }
            }
        }
        let mut nobody = closed.client(None).await?;
        for (route, _) in ROUTES {
            let error = call(&mut nobody, route, &about).await.err();
            let code = error.as_ref().map(Error::code);
            assert_eq!(code, Some("FS1102"), "{route} {dataset}: {error:?}");
        }
    }
    println!("{allowed} allowed, {refused} refused");
    assert!(
        allowed > 150 && refused > 150,
        "{allowed} allowed, {refused} refused"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_needs_read_on_what_it_reads_and_write_or_create_on_what_it_writes() -> Step {
    let closed = Closed::start(&PRINCIPALS)?;
    for (principal, from, to, code) in [
        ("reader", "web.clicks", "webs", Some("FS1103")),
        ("writer", "web.clicks", "web.made", Some("FS1103")),
        ("loader", "web.clicks", "web.made", Some("FS1103")),
        ("neighbour", "web.clicks", "lab.notes", Some("FS1103")),
        ("exact", "web.clicks", "webs", None),
        ("everywhere", "webs", "web.made", None),
        ("loader", "web.made", "web.clicks", None),
    ] {
        let mut client = closed.client(Some(principal)).await?;
        let request = v1::SubmitRequest {
            id: format!("{principal}-{from}-{to}"),
            text: format!("INSERT INTO {to} SELECT * FROM {from}"),
            target: v1::Target::Batch.into(),
            ..v1::SubmitRequest::default()
        };
        let submitted = answer(client.jobs.submit(request.clone()).await);
        let error = submitted.as_ref().err().map(Error::code);
        assert_eq!(error, code, "{principal} {from} {to}: {submitted:?}");
        if code.is_some() {
            continue;
        }
        let get = v1::GetJobRequest {
            id: request.id.clone(),
        };
        let listed = answer(client.jobs.list(v1::ListJobsRequest::default()).await)?;
        assert!(
            listed.jobs.iter().all(|job| job.id.starts_with(principal)),
            "{listed:?}"
        );
        answer(client.jobs.get(get.clone()).await)?;
        for (other, may) in [
            ("reader", false),
            ("everywhere", principal == "everywhere"),
            ("root", true),
        ] {
            let mut client = closed.client(Some(other)).await?;
            let got = answer(client.jobs.get(get.clone()).await);
            assert_eq!(got.is_ok(), may, "{other} of {principal}: {got:?}");
            let stop = v1::StopJobRequest {
                id: get.id.clone(),
                drain: false,
            };
            assert_eq!(answer(client.jobs.stop(stop).await).is_ok(), may);
            let again = answer(client.jobs.submit(request.clone()).await);
            assert_eq!(again.is_ok(), may, "{other} attaches: {again:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_and_the_feed_show_what_a_principal_may_know() -> Step {
    let closed = Closed::start(&PRINCIPALS)?;
    for (principal, seen, read) in [
        ("reader", &["web.clicks"][..], &["web.clicks"][..]),
        ("writer", &["web.clicks"], &[]),
        ("neighbour", &["lab.notes"], &["lab.notes"]),
        ("exact", &["web.clicks", "webs"], &["web.clicks"]),
        (
            "root",
            &["lab.notes", "web.clicks", "webs"],
            &["lab.notes", "web.clicks", "webs"],
        ),
    ] {
        let mut client = closed.client(Some(principal)).await?;
        let listed = answer(client.catalog.list(v1::ListRequest::default()).await)?;
        let names: Vec<String> = listed
            .datasets
            .into_iter()
            .map(|dataset| dataset.name)
            .collect();
        assert_eq!(names, seen, "{principal}");
        let flights = client.flight.list("").await?;
        let names: Vec<String> = flights.map_ok(|info| info.name).try_collect().await?;
        assert_eq!(names, read, "{principal}");
        let mut events = answer(client.catalog.watch(v1::WatchRequest { since: 0 }).await)?;
        let mut told = Vec::new();
        while told.len() < seen.len() {
            let event = events.message().await?.ok_or("the feed ended")?;
            if let Some(v1::change_event::Kind::Put(dataset)) = event.kind {
                told.push(dataset.name);
            }
        }
        told.sort();
        assert_eq!(told, seen, "{principal}");
    }
    Ok(())
}
