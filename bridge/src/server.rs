//! The server: wires the catalogue, the logs, the engines and the services together.
//!
//! One damaged object is one error: it is named, what depends on it is refused, and the rest is served.
//! Invariant: nothing is served before every part has caught up with what is durable, and when
//! [`Server::stop`] returns every job has let go at a checkpoint.

mod catalog;
mod catchup;
mod connections;
mod datadir;
mod entry;
mod housekeeping;
mod http;
mod inspect;
mod jobs;
mod limits;
mod readiness;
mod settings;
mod tokens;
mod wire;

pub use datadir::DataDir;
pub use inspect::inspect;

use crate::access::{Access, Gate};
use crate::config::{Resolved, SHUTDOWN_MS};
use crate::damage::Damage;
use crate::jobs::{Engines, Planner, Questions, Records, Supervisor, Turns, clear_scratch};
use crate::memory;
use crate::metrics::Metrics;
use crate::system::{SystemClock, SystemEntropy};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connections::Port;
use entry::Entry;
use flinkspark_connector::flight;
use flinkspark_connector::store::{
    Consumers, Logs, Settings, Store, Transactions, Writers, local::Local,
};
use flinkspark_engine::batch;
use flinkspark_metadata::Catalogue;
use flinkspark_model::access::Caller;
use flinkspark_model::budget::Budget;
use flinkspark_model::port::{Catalog, Clock, Datasets, Entropy, Heads};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1::catalog_server::CatalogServer;
use flinkspark_proto::v1::jobs_server::JobsServer;
use flinkspark_proto::v1::server_server::ServerServer;
use flinkspark_proto::v1::tokens_server::TokensServer;
use housekeeping::Housekeeping;
use readiness::Readiness;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic_health::pb::health_server::{Health, HealthServer};
use wire::Wired;

/// Where the catalogue lies in a data directory.
pub fn catalogue_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("catalog")
}

/// The parts that the services share.
#[derive(Clone)]
pub struct Parts {
    /// Knows the datasets.
    pub catalog: Arc<dyn Catalog>,
    /// Opens their logs.
    pub datasets: Arc<dyn Datasets>,
    /// Runs jobs.
    pub jobs: Arc<Supervisor>,
    /// What is damaged.
    pub damage: Damage,
}

/// A running server.
pub struct Server {
    parts: Parts,
    grpc: SocketAddr,
    http: SocketAddr,
    ready: Arc<AtomicBool>,
    closing: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Result<()>>>,
    // Held to the end: dropped last, it gives the folder free.
    _data_dir: DataDir,
}

impl Server {
    /// Opens the data directory, catches up, takes requests, and then goes on with jobs.
    pub async fn start(resolved: impl Into<Resolved>) -> Result<Self> {
        let resolved = resolved.into();
        let config = &resolved.config;
        config.validate()?;
        let budget = Budget::new(config.memory.resolve(memory::machine_bytes())?);
        tracing::info!(bytes = budget.limit(), "memory budget");
        let flight_memory = memory::flight(&budget);
        let open_files = limits::raise_open_files();
        let mut data_dir = DataDir::open(&config.data_dir)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let damage = Damage::default();
        let entry = Entry::open(
            config,
            data_dir.path(),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            damage.clone(),
        )?;
        let (grpc_listener, grpc) = bind("--grpc", config.grpc).await?;
        let (http_listener, http) = bind("--http", config.http).await?;
        data_dir.announce(&format!(
            "process {} serving {}://{grpc}",
            std::process::id(),
            entry.scheme()
        ));

        let settings = settings::Service::new(&resolved, grpc, http, clock.now_ms())?;
        let local = Local::open(data_dir.path()).await?;
        let store: Arc<dyn Store> = Arc::new(local.clone());
        let catalogue = open_catalogue(data_dir.path(), &clock, &entropy).await?;
        let logs = Logs::open_known(
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            // The data directory is locked.
            Settings {
                alone: true,
                ..Settings::default()
            },
            Arc::clone(&catalogue) as Arc<dyn Heads>,
            flight_memory.writers.clone(),
        )
        .await?;
        readiness::note_wholes(&damage, &catalogue, logs.signer().damage());
        let catalog: Arc<dyn Catalog> = Arc::clone(&catalogue) as Arc<dyn Catalog>;
        let datasets: Arc<dyn Datasets> = Arc::new(logs.clone());
        catchup::catch_up(&catalog, &datasets, &damage).await;

        let scratch = data_dir.path().join("scratch");
        clear_scratch(&scratch);
        let metrics = Arc::new(Metrics::new(budget.clone())?);
        // Engines compute on threads of their own, and take their turns on logs here.
        let turns: Arc<dyn Datasets> =
            Arc::new(Turns::new(Arc::clone(&datasets), Handle::current()));
        let engines = Engines {
            datasets: Arc::clone(&turns),
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            metrics: Arc::clone(&metrics),
            stream_memory: memory::stream(&budget),
            scratch,
        };
        let batch_memory = batch::Memory {
            share: memory::batch(&budget),
            spill_dir: Some(engines.scratch.join("spill")),
        };
        let planner = Planner::new(Arc::clone(&catalog), turns, batch_memory);
        let questions = Questions::new(planner.clone(), engines.clone())?;
        let records = Records::new(store);
        let supervisor = Supervisor::new(
            records.clone(),
            planner,
            engines,
            Arc::clone(&clock),
            damage.clone(),
        )?;
        let parts = Parts {
            catalog: Arc::clone(&catalog),
            datasets: Arc::clone(&datasets),
            jobs: Arc::clone(&supervisor),
            damage: damage.clone(),
        };

        let (closing, closed) = watch::channel(false);
        let transactions = Arc::new(Transactions::new(logs.clone()));
        let writers = Arc::new(Writers::new(logs.clone()));
        let consumers = Arc::new(Consumers::new(logs.clone()));
        let key = ticket_key(&logs)?;
        let housekeeping = Housekeeping {
            catalog: Arc::clone(&catalog),
            logs,
            records,
            transactions: Arc::clone(&transactions),
            metrics: Arc::clone(&metrics),
            damage: damage.clone(),
        };
        let components = flight::Components {
            catalog,
            datasets,
            transactions,
            writers,
            consumers,
            queries: Arc::new(questions),
            clock,
            key,
            memory: flight_memory,
            caller: Caller::unknown(),
            location: entry.advertised(),
            closing: closed.clone(),
        };
        let location = entry.location(grpc);
        let ready = Arc::new(AtomicBool::new(false));
        let readiness = Readiness {
            started: Arc::clone(&ready),
            store: local,
            catalogue,
            damage: damage.clone(),
        };
        let counts = connections::Counts::new(&metrics)?;
        let grpc_port = Port::new(
            "grpc",
            grpc_listener,
            limits::grpc(open_files),
            counts.clone(),
        );
        let http_port = Port::new("http", http_listener, limits::http(open_files), counts);
        let taking = [grpc_port.taking(), http_port.taking()];
        let gauges = readiness::Gauges::new(&metrics)?;
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let health = http::Health {
            readiness: readiness.clone(),
            metrics,
            access: Arc::clone(&entry.access),
        };
        let mut tasks = vec![
            tokio::spawn(serve_grpc(
                entry.grpc(grpc_port),
                Arc::clone(&entry.access),
                Services {
                    parts: parts.clone(),
                    settings,
                    components,
                    location,
                },
                health_service,
                closed.clone(),
            )),
            tokio::spawn(serve_http(
                entry.http(http_port),
                http::router(health, &entry),
                closed.clone(),
            )),
            tokio::spawn(readiness::watch_over(
                readiness,
                gauges,
                reporter,
                closed.clone(),
            )),
        ];
        if let Some(tls) = entry.tls.clone() {
            tasks.push(tokio::spawn(tls.follow(damage, closed.clone())));
        }
        let unended = supervisor.unended().await?;
        for mut port in taking {
            // An error means that the service has ended, which its task tells.
            let _ = port.wait_for(|taking| *taking).await;
        }
        ready.store(true, Ordering::Release);
        tracing::info!(
            data_dir = %config.data_dir.display(), %grpc, %http, jobs = unended.len(), "takes requests"
        );
        // Whoever wants to stop one of them is heard before it runs.
        supervisor.go_on(unended);
        tasks.push(tokio::spawn(housekeeping.run(closed)));
        Ok(Self {
            parts,
            grpc,
            http,
            ready,
            closing,
            tasks,
            _data_dir: data_dir,
        })
    }

    /// Where Arrow Flight and the gRPC services are.
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// Where metrics and health are.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// What the services share, for a caller in the same process.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Suspends jobs, finishes requests that are under way, and lets go of the data directory.
    pub async fn stop(self) -> Result<()> {
        self.ready.store(false, Ordering::Release);
        let limit = Duration::from_millis(SHUTDOWN_MS);
        let late = |_| {
            Error::new(
                Kind::Unavailable,
                "FS0017",
                "the server did not come to rest in time",
            )
            .with_detail(format!(
                "after {SHUTDOWN_MS} ms something was still under way"
            ))
            .with_hint("nothing is lost: the next start goes on from the last checkpoints")
        };
        let rest = async {
            self.parts.jobs.suspend().await;
            self.closing.send_replace(true);
            for task in self.tasks {
                task.await.map_err(|cause| {
                    Error::new(
                        Kind::Internal,
                        "FS0018",
                        "a service ended without an answer",
                    )
                    .with_source(cause)
                })??;
            }
            Ok(())
        };
        tokio::time::timeout(limit, rest).await.map_err(late)?
    }
}

async fn bind(flag: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let refuse = |cause: std::io::Error| {
        Error::new(
            Kind::Unavailable,
            "FS0019",
            format!("{flag} {address} cannot be listened on"),
        )
        .with_source(cause)
        .with_hint(format!(
            "stop what uses the port, or choose another with {flag}; port 0 takes a free one"
        ))
    };
    let listener = TcpListener::bind(address).await.map_err(refuse)?;
    let bound = listener.local_addr().map_err(refuse)?;
    Ok((listener, bound))
}

async fn open_catalogue(
    data_dir: &Path,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<Catalogue>> {
    let options = flinkspark_metadata::Options::new(catalogue_dir(data_dir));
    let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
    let opened =
        tokio::task::spawn_blocking(move || Catalogue::open_even_damaged(&options, clock, entropy))
            .await;
    let opened = opened.map_err(|cause| {
        Error::new(
            Kind::Internal,
            "FS0018",
            "a service ended without an answer",
        )
        .with_source(cause)
    })?;
    Ok(Arc::new(opened?))
}

/// The tickets' key, derived from the data directory's.
fn ticket_key(logs: &Logs) -> Result<flight::Key> {
    let broken = || {
        Error::new(Kind::Internal, "FS0018", "a service cannot start").with_detail("it has no key")
    };
    let bytes = STANDARD
        .decode(logs.signer().sign("flight tickets", b"key"))
        .map_err(|_| broken())?;
    bytes.try_into().map(flight::Key::new).map_err(|_| broken())
}

async fn closed(mut closing: watch::Receiver<bool>) {
    // An error means that the server is gone, which is a close as well.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// What is served on the gRPC port.
struct Services {
    parts: Parts,
    settings: settings::Service,
    components: flight::Components,
    /// Where clients read.
    location: String,
}

async fn serve_grpc<H: Health>(
    wired: Wired,
    access: Arc<Access>,
    services: Services,
    health_service: HealthServer<H>,
    closing: watch::Receiver<bool>,
) -> Result<()> {
    let Services {
        parts,
        settings,
        components,
        location,
    } = services;
    let catalog = catalog::Service {
        catalog: Arc::clone(&parts.catalog),
        datasets: Arc::clone(&parts.datasets),
        damage: parts.damage,
        location,
    };
    let memory = components.memory.clone();
    let catalog =
        CatalogServer::new(catalog).max_decoding_message_size(flight::limits::REQUEST_BYTES_MAX);
    let jobs = JobsServer::new(jobs::Service { jobs: parts.jobs })
        .max_decoding_message_size(flight::limits::REQUEST_BYTES_MAX);
    let tokens = TokensServer::new(tokens::Service {
        access: Arc::clone(&access),
    });
    let served = flight::limits::server(tonic::transport::Server::builder())
        .layer(Gate::new(access))
        .add_service(flight::service(components))
        .add_service(flight::admitted(catalog, &memory))
        .add_service(flight::admitted(jobs, &memory))
        .add_service(flight::admitted(ServerServer::new(settings), &memory))
        .add_service(flight::admitted(tokens, &memory))
        .add_service(health_service)
        .serve_with_incoming_shutdown(wired.incoming(), closed(closing));
    served.await.map_err(|cause| {
        Error::new(
            Kind::Unavailable,
            "FS0018",
            "a service ended without an answer",
        )
        .with_source(cause)
    })
}

async fn serve_http(
    wired: Wired,
    router: axum::Router,
    closing: watch::Receiver<bool>,
) -> Result<()> {
    let served = axum::serve(wired, router).with_graceful_shutdown(closed(closing));
    served.await.map_err(|cause| {
        Error::new(
            Kind::Unavailable,
            "FS0018",
            "a service ended without an answer",
        )
        .with_source(cause)
    })
}
