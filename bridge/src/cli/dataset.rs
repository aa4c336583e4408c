//! `flinkspark dataset`: registers, finds and shows datasets.

mod alter;
mod describe;
mod history;

use super::args::{DatasetCommand, Format, RegisterArgs};
use super::render::{self, Listing};
use super::{rows, transaction, transfer, verify};
use crate::client::{Address, Client, answer, look_up};
use crate::exit;
use describe::{describe, record, why};
use flinkspark_connector::format;
use flinkspark_model::dataset::{Boundedness, Dataset, TimeAttribute, TimePrecision, Traits};
use flinkspark_model::handle::Handle;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Change, Damaged, Reference, Registration, Update};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1;
use history::{epochs, lineage, watch};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

/// Runs one of the commands.
pub(super) async fn run(url: &Address, output: Format, command: DatasetCommand) -> Result<u8> {
    match command {
        DatasetCommand::Register(args) => register(url, output, args).await,
        DatasetCommand::List { prefix } => {
            list(&mut Client::connect(url).await?, output, prefix).await
        }
        DatasetCommand::Show { reference } | DatasetCommand::Lookup { reference } => {
            let view = look_up(&mut Client::connect(url).await?, &reference).await?;
            render::object(output, &describe(view)?)
        }
        DatasetCommand::Idl { reference } => {
            let view = look_up(&mut Client::connect(url).await?, &reference).await?;
            let dataset = Dataset::try_from(view.dataset.unwrap_or_default())?;
            render::text(&format::thrift_idl(&dataset.schema)?)
        }
        DatasetCommand::Head { reference, rows } => {
            rows::head(&Client::connect(url).await?, output, &reference, rows).await
        }
        DatasetCommand::Schema {
            reference,
            like,
            compatibility,
            files,
        } => {
            let schema = format::open(&like, &files.read()?)?.schema();
            let mode = compatibility.parse()?;
            let mut client = Client::connect(url).await?;
            let change = Update::Schema { schema, mode };
            alter::update(&mut client, output, &reference, change).await
        }
        DatasetCommand::Rename { reference, name } => {
            let change = Update::Record(Change::Rename(DatasetName::new(&name)?));
            let mut client = Client::connect(url).await?;
            alter::update(&mut client, output, &reference, change).await
        }
        DatasetCommand::Alter(args) => {
            alter::alter(&mut Client::connect(url).await?, output, args).await
        }
        DatasetCommand::Count { reference } => {
            let view = look_up(&mut Client::connect(url).await?, &reference).await?;
            let rows = view.head.unwrap_or_default().rows;
            match output {
                Format::Table => render::text(&format!("{rows}\n")),
                Format::Json | Format::Jsonl => render::object(output, &json!({ "rows": rows })),
            }
        }
        DatasetCommand::Export(args) => return transfer::run(url, output, args.into()).await,
        DatasetCommand::Verify { reference } => {
            verify::run(&Client::connect(url).await?, output, &reference).await
        }
        DatasetCommand::Epochs { reference, after } => {
            epochs(&mut Client::connect(url).await?, output, &reference, after).await
        }
        DatasetCommand::Transactions { reference } => {
            transaction::list(&Client::connect(url).await?, output, &reference).await
        }
        DatasetCommand::Lineage { reference } => {
            lineage(&mut Client::connect(url).await?, output, &reference).await
        }
        DatasetCommand::Watch { since, limit } => {
            watch(&mut Client::connect(url).await?, output, since, limit).await
        }
        DatasetCommand::Drop { reference, yes } => {
            forget(&mut Client::connect(url).await?, &reference, yes).await
        }
    }
    .map(|()| exit::OK)
}

async fn register(url: &Address, output: Format, args: RegisterArgs) -> Result<()> {
    let registration = registration(args)?;
    let mut client = Client::connect(url).await?;
    let dataset = answer(
        client
            .catalog
            .register(v1::RegisterRequest::try_from(&registration)?)
            .await,
    )?;
    let view = v1::DatasetView {
        dataset: Some(dataset),
        ..v1::DatasetView::default()
    };
    render::object(output, &describe(view)?)
}

fn registration(args: RegisterArgs) -> Result<Registration> {
    let reader = format::open(&args.like, &args.files.read()?)?;
    for notice in reader.notices() {
        eprintln!("note: {notice}");
    }
    let mut handles = Vec::new();
    handles.extend(
        args.traits
            .flink
            .as_deref()
            .map(Handle::flink_table)
            .transpose()?,
    );
    handles.extend(
        args.traits
            .spark
            .as_deref()
            .map(Handle::spark_table)
            .transpose()?,
    );
    let time = args
        .traits
        .time_attribute
        .zip(args.traits.watermark_delay)
        .map(|(column, watermark_delay_ms)| TimeAttribute {
            column,
            watermark_delay_ms,
            precision: TimePrecision::from(args.traits.time_precision),
        });
    let boundedness = if args.unbounded {
        Boundedness::Unbounded
    } else {
        Boundedness::Bounded
    };
    Ok(Registration {
        name: DatasetName::new(&args.name)?,
        schema: reader.schema(),
        traits: Traits {
            boundedness,
            time,
            primary_key: args.traits.primary_key,
            ..Traits::default()
        },
        handles,
    })
}

async fn list(client: &mut Client, output: Format, prefix: String) -> Result<()> {
    let mut rows = Vec::new();
    let mut is_damaged = false;
    let mut after = String::new();
    loop {
        let request = v1::ListRequest {
            prefix: prefix.clone(),
            after,
            limit: 0,
        };
        let page = answer(client.catalog.list(request).await)?;
        is_damaged |= !page.damaged.is_empty();
        let mut damaged: BTreeMap<String, Damaged> = BTreeMap::new();
        for one in page.damaged {
            let one = Damaged::try_from(one)?;
            damaged.insert(one.id.to_string(), one);
        }
        for dataset in page.datasets {
            let dataset = Dataset::try_from(dataset)?;
            let mut row = record(&dataset);
            row.insert("columns".into(), dataset.schema.fields().len().into());
            for handle in &dataset.handles {
                row.insert(handle.engine().name().into(), handle.identifier().into());
            }
            if let Some(one) = damaged.remove(&dataset.id.to_string()) {
                row.insert("damaged".into(), why(&one.error).into());
            }
            rows.push(row);
        }
        // Those of which not even the record can be read.
        for (id, one) in damaged {
            let mut row = Map::new();
            row.insert("id".into(), id.into());
            row.insert("name".into(), one.name.to_string().into());
            row.insert("damaged".into(), why(&one.error).into());
            rows.push(row);
        }
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    let mut listing = if is_damaged {
        Listing::new(&[
            "name", "id", "version", "columns", "flink", "spark", "damaged",
        ])
    } else {
        Listing::new(&["name", "id", "version", "columns", "flink", "spark"])
    };
    rows.into_iter().for_each(|row| listing.push(row.into()));
    render::listing(output, &listing)
}

async fn forget(client: &mut Client, reference: &str, yes: bool) -> Result<()> {
    let (dataset, rows) = match look_up(client, reference).await {
        Ok(view) => (
            view.dataset.unwrap_or_default(),
            view.head.unwrap_or_default().rows,
        ),
        // One that is damaged can be given up; its files stay.
        Err(error) if error.kind() == Kind::Data => {
            eprintln!("{error}");
            (listed(client, reference).await?.ok_or(error)?, 0)
        }
        Err(error) => return Err(error),
    };
    if !yes && !confirmed(&dataset.name, rows)? {
        return Err(Error::new(Kind::Invalid, "FS0015", "nothing was dropped")
            .with_detail("the question was not answered with yes")
            .with_hint("add --yes to drop without a question"));
    }
    let request = v1::DropRequest {
        id: dataset.id,
        version: dataset.version,
    };
    let left = answer(client.catalog.drop(request).await)?;
    eprintln!("dropped {}", dataset.name);
    if left.bytes > 0 {
        let until = rows::instant(i64::try_from(left.until_ms).unwrap_or(i64::MAX));
        eprintln!(
            "note: its {} bytes stay until {until}, for those who are reading them",
            left.bytes
        );
    }
    Ok(())
}

/// A dataset's record from the listing, which gives it whatever became of its log. Of one whose record is
/// damaged too the version is 0.
async fn listed(client: &mut Client, reference: &str) -> Result<Option<v1::Dataset>> {
    let wanted = reference.parse::<Reference>()?.to_string();
    let mut after = String::new();
    loop {
        let request = v1::ListRequest {
            after,
            ..v1::ListRequest::default()
        };
        let page = answer(client.catalog.list(request).await)?;
        for dataset in page.datasets {
            let known = Dataset::try_from(dataset.clone())?;
            let handles = known.handles.iter().map(|handle| handle.key().to_string());
            let names = [known.id.to_string(), known.name.to_string()];
            if names.into_iter().chain(handles).any(|name| name == wanted) {
                return Ok(Some(dataset));
            }
        }
        let damaged = page.damaged.into_iter();
        let mut damaged = damaged.filter(|one| one.id == wanted || one.name == wanted);
        if let Some(one) = damaged.next() {
            return Ok(Some(v1::Dataset {
                id: one.id,
                name: one.name,
                ..v1::Dataset::default()
            }));
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(None),
        }
    }
}

fn confirmed(name: &str, rows: u64) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("drop {name} with its {rows} rows? [y/N] ");
    let mut line = String::new();
    let read = std::io::stderr()
        .flush()
        .and_then(|()| std::io::stdin().read_line(&mut line));
    read.map_err(|cause| {
        Error::new(
            Kind::Unavailable,
            "FS0008",
            "the question could not be asked",
        )
        .with_source(cause)
    })?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
