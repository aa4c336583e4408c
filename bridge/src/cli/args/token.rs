//! What `flinkspark token` takes.

use crate::cli::duration::parse_ms;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print its secret, once; the first one closes the bridge to whoever has none
    Create {
        /// Whose it is
        principal: String,
        /// What it allows: PREFIX:VERBS, such as web:read,write or '*:admin'; repeatable
        #[arg(long = "grant", value_name = "PREFIX:VERBS", required = true)]
        grants: Vec<String>,
        /// How long it lasts, such as 90d; without an end where it is left out
        #[arg(long, value_name = "DURATION", value_parser = parse_ms)]
        expires: Option<u64>,
    },
    /// List tokens, without their secrets
    List,
    /// Take tokens away: one by its id, or all of a principal
    Revoke {
        /// A token's id, or a principal
        reference: String,
    },
}
