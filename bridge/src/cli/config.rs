//! `flinkspark config`: the settings in force, and where each comes from.
//!
//! Invariant: what is printed for people is a configuration file that gives the same values.

use super::args::{ConfigCommand, Format};
use super::render::{self, Listing};
use super::rows::instant;
use crate::client::{Address, Client, answer};
use crate::config::{Overrides, Resolved, Source};
use crate::exit;
use flinkspark_model::{Kind, Result};
use flinkspark_proto::v1;
use serde_json::json;

/// Runs one of the commands.
pub(super) async fn run(url: &Address, output: Format, command: ConfigCommand) -> Result<u8> {
    let ConfigCommand::Show { overrides, offline } = command;
    // Flags say what a server would be: they have nothing to do with one that runs.
    let is_told = overrides
        .said
        .values()
        .any(|source| *source == Source::Flag);
    let shown = match offline || is_told {
        true => here(&overrides)?,
        false => match Client::connect(url).await {
            Ok(client) => of_server(url, client).await?,
            Err(error) if error.kind() == Kind::Unavailable => {
                eprintln!(
                    "note: no server answers at {url}: this is what one that starts here would have"
                );
                here(&overrides)?
            }
            Err(error) => return Err(error),
        },
    };
    print(output, &shown).map(|()| exit::OK)
}

/// Settings, and what to say of them.
struct Shown {
    of: Option<String>,
    settings: Vec<v1::Setting>,
}

async fn of_server(url: &Address, mut client: Client) -> Result<Shown> {
    let answered = answer(client.server.settings(v1::SettingsRequest {}).await)?;
    let since = instant(i64::try_from(answered.started_at_ms).unwrap_or(i64::MAX));
    let version = answered.version;
    Ok(Shown {
        of: Some(format!(
            "# the server at {url}, version {version}, up since {since}"
        )),
        settings: answered.settings,
    })
}

fn here(overrides: &Overrides) -> Result<Shown> {
    let settings = Resolved::load(overrides)?.settings()?;
    let wire = |setting: crate::config::Setting| v1::Setting {
        name: setting.name.into(),
        value: setting.value,
        source: setting.source.name().into(),
    };
    Ok(Shown {
        of: None,
        settings: settings.into_iter().map(wire).collect(),
    })
}

fn print(output: Format, shown: &Shown) -> Result<()> {
    if output != Format::Table {
        let mut listing = Listing::new(&["name", "value", "source"]);
        for setting in &shown.settings {
            let (name, value, source) = (&setting.name, &setting.value, &setting.source);
            listing.push(json!({"name": name, "value": value, "source": source}));
        }
        return render::listing(output, &listing);
    }
    let mut text: String = shown.of.iter().map(|of| format!("{of}\n")).collect();
    for setting in &shown.settings {
        let value = toml::Value::String(setting.value.clone());
        text.push_str(&format!(
            "{} = {value} # {}\n",
            setting.name, setting.source
        ));
    }
    render::text(&text)
}
