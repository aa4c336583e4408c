//! `flinkspark token`: who may call the bridge, and what they may do.
//!
//! Invariant: a secret is printed once, by `create`, on standard output.

use super::args::{Format, TokenCommand};
use super::render::{self, Listing};
use super::rows;
use crate::client::{Address, Client, answer};
use crate::exit;
use flinkspark_model::Result;
use flinkspark_model::access::{Grant, Principal};
use flinkspark_proto::v1;
use serde_json::{Value, json};

/// Runs one of the commands.
pub(super) async fn run(at: &Address, output: Format, command: TokenCommand) -> Result<u8> {
    match command {
        TokenCommand::Create {
            principal,
            grants,
            expires,
        } => {
            // What is wrong is said before anybody is asked.
            let principal = Principal::new(&principal)?.to_string();
            let grants = grants
                .iter()
                .map(|grant| Ok(grant.parse::<Grant>()?.to_string()));
            let request = v1::CreateTokenRequest {
                principal,
                grants: grants.collect::<Result<_>>()?,
                life_ms: expires,
            };
            let created = answer(Client::connect(at).await?.tokens.create(request).await)?;
            print_created(output, &created)?;
        }
        TokenCommand::List => {
            let request = v1::ListTokensRequest {};
            let listed = answer(Client::connect(at).await?.tokens.list(request).await)?;
            print(output, &listed.tokens)?;
        }
        TokenCommand::Revoke { reference } => {
            let request = v1::RevokeTokensRequest { reference };
            let revoked = answer(Client::connect(at).await?.tokens.revoke(request).await)?;
            print(output, &revoked.tokens)?;
        }
    }
    Ok(exit::OK)
}

/// The secret alone for people, so that it goes into a file as it is; what belongs to it beside that.
fn print_created(output: Format, created: &v1::CreateTokenResponse) -> Result<()> {
    let token = created.token.clone().unwrap_or_default();
    if output == Format::Table {
        eprintln!(
            "token {} of {}: {}; its secret is not shown again",
            token.id,
            token.principal,
            token.grants.join(" ")
        );
        return render::text(&format!("{}\n", created.secret));
    }
    let mut line = line(&token);
    if let Value::Object(fields) = &mut line {
        fields.insert("secret".into(), json!(created.secret));
    }
    render::object(output, &line)
}

fn print(output: Format, tokens: &[v1::Token]) -> Result<()> {
    let mut listing = Listing::new(&["id", "principal", "grants", "created", "expires"]);
    for token in tokens {
        listing.push(line(token));
    }
    render::listing(output, &listing)
}

fn line(token: &v1::Token) -> Value {
    let instant = |ms: u64| rows::instant(i64::try_from(ms).unwrap_or(i64::MAX));
    json!({
        "id": token.id,
        "principal": token.principal,
        "grants": token.grants.join(" "),
        "created": instant(token.created_at_ms),
        "created_at_ms": token.created_at_ms,
        "expires": token.expires_at_ms.map(instant),
        "expires_at_ms": token.expires_at_ms,
    })
}
