//! What each call needs before its handler is asked.
//!
//! Invariant: a call that is not in this table is refused while the bridge is closed, so that a new one is
//! nobody's until it has a rule.

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Nothing: who calls is not asked.
    Public,
    /// A principal; its handler asks what the principal may do with each dataset.
    Known,
    /// A principal that administers the bridge.
    Admin,
}

/// The routes of one service.
struct Service {
    name: &'static str,
    methods: &'static [(&'static str, Rule)],
}

use Rule::{Admin, Known, Public};

const SERVICES: [Service; 6] = [
    Service {
        name: "arrow.flight.protocol.FlightService",
        methods: &[
            ("Handshake", Known),
            ("ListFlights", Known),
            ("GetFlightInfo", Known),
            ("PollFlightInfo", Known),
            ("GetSchema", Known),
            ("DoGet", Known),
            ("DoPut", Known),
            ("DoExchange", Known),
            ("DoAction", Known),
            ("ListActions", Known),
        ],
    },
    Service {
        name: "flinkspark.v1.Catalog",
        methods: &[
            ("Register", Known),
            ("Lookup", Known),
            ("List", Known),
            ("Update", Known),
            ("Drop", Known),
            ("Lineage", Known),
            ("Watch", Known),
            ("Epochs", Known),
            ("Head", Known),
        ],
    },
    Service {
        name: "flinkspark.v1.Jobs",
        methods: &[
            ("Submit", Known),
            ("Get", Known),
            ("List", Known),
            ("Stop", Known),
            ("Resume", Known),
            ("Delete", Known),
            ("Events", Known),
            ("Watch", Known),
            ("Explain", Known),
            ("Verify", Known),
        ],
    },
    Service {
        name: "flinkspark.v1.Server",
        methods: &[("Settings", Admin)],
    },
    Service {
        name: "flinkspark.v1.Tokens",
        methods: &[("Create", Admin), ("List", Admin), ("Revoke", Admin)],
    },
    Service {
        name: "grpc.health.v1.Health",
        methods: &[("Check", Public), ("Watch", Public)],
    },
];

/// The rule of `/SERVICE/METHOD`.
pub(super) fn rule(path: &str) -> Option<Rule> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let service = SERVICES.iter().find(|known| known.name == service)?;
    let found = service.methods.iter().find(|(name, _)| *name == method);
    found.map(|(_, rule)| *rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flinkspark_proto::v1::FILE_DESCRIPTOR_SET;
    use prost::Message;
    use prost_types::FileDescriptorSet;
    use std::collections::BTreeSet;

    /// Every method of our services, as their definitions say.
    fn defined() -> BTreeSet<String> {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let services = set.file.iter().flat_map(|file| {
            let package = file.package().to_owned();
            file.service
                .iter()
                .map(move |service| (package.clone(), service))
        });
        let paths = services.flat_map(|(package, service)| {
            service
                .method
                .iter()
                .map(move |method| format!("/{package}.{}/{}", service.name(), method.name()))
        });
        paths.collect()
    }

    #[test]
    fn every_route_that_is_defined_has_a_rule_and_no_rule_is_of_another() {
        let defined = defined();
        assert!(defined.len() > 20, "{defined:?}");
        for path in &defined {
            assert!(rule(path).is_some(), "{path} has no rule: who may call it?");
        }
        for service in SERVICES
            .iter()
            .filter(|service| service.name.starts_with("flinkspark."))
        {
            for (method, _) in service.methods {
                let path = format!("/{}/{method}", service.name);
                assert!(defined.contains(&path), "{path} is defined nowhere");
            }
        }
    }

    #[test]
    fn what_is_not_in_the_table_has_no_rule() {
        for path in [
            "",
            "/",
            "//",
            "/flinkspark.v1.Catalog",
            "/flinkspark.v1.Catalog/",
            "flinkspark.v1.Catalog/List",
            "/flinkspark.v1.Catalog/list",
            "/flinkspark.v1.Catalog/List/",
            "/flinkspark.v1.catalog/List",
            "/grpc.health.v1.Health/",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ] {
            assert_eq!(rule(path), None, "{path}");
        }
        assert_eq!(rule("/flinkspark.v1.Tokens/Create"), Some(Rule::Admin));
        assert_eq!(rule("/grpc.health.v1.Health/Check"), Some(Rule::Public));
    }
}
