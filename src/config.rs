//! Settings: one struct per concern, read once when the program starts.

mod network;
mod providers;

use std::path::PathBuf;
use std::time::Duration;

pub use network::{Network, NotANetwork};
pub use providers::{NewAccounts, ProviderSecret, ProviderSettings, SignInSettings};

/// How the FHIR interactions behave where the specification leaves a choice.
#[derive(Clone, Debug)]
pub struct FhirSettings {
    /// The FHIR base that clients see, such as `http://localhost:8080/fhir`; no slash at the end.
    pub base_url: String,
    /// A PUT to an id that is not there yet creates the resource.
    pub update_creates: bool,
    /// An update that changes nothing makes a new version all the same.
    pub version_unchanged: bool,
    /// A conditional delete may delete several resources.
    pub delete_multiple: bool,
    /// Minutes east of UTC for dates that name no zone.
    pub zone_minutes: i16,
    /// A Provenance beside each version tells who wrote it, where that is known.
    pub provenance: bool,
}

impl Default for FhirSettings {
    fn default() -> FhirSettings {
        FhirSettings {
            base_url: "http://127.0.0.1:8080/fhir".to_owned(),
            update_creates: true,
            version_unchanged: false,
            delete_multiple: false,
            zone_minutes: 0,
            provenance: true,
        }
    }
}

/// Limits on what a request may ask for.
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// The longest path and query together, in bytes.
    pub address_bytes: usize,
    /// The most that all headers of a request may come to, in bytes. The HTTP library has a limit of its own of twice the default.
    pub head_bytes: usize,
    /// Largest body of a single resource, in bytes, after unpacking.
    pub resource_bytes: usize,
    /// Largest body of a Bundle, in bytes, after unpacking.
    pub bundle_bytes: usize,
    /// Most entries of a batch or transaction.
    pub bundle_entries: usize,
    /// Most requests under way at once, from their head to their answer; more are turned away.
    pub requests: usize,
    /// How long a search, or another request that reads, may keep the database busy; `None` is any time.
    pub search_time: Option<Duration>,
    pub plan: PlanSettings,
}

impl Default for LimitSettings {
    fn default() -> LimitSettings {
        LimitSettings {
            address_bytes: 16 << 10,
            head_bytes: 64 << 10,
            resource_bytes: 4 << 20,
            bundle_bytes: 32 << 20,
            bundle_entries: 5000,
            requests: 4096,
            search_time: Some(Duration::from_secs(10)),
            plan: PlanSettings::default(),
        }
    }
}

/// How searches are done. None of it changes what they find, nor in which order.
#[derive(Clone, Copy, Debug)]
pub struct PlanSettings {
    /// A criterion with fewer rows in the index than this is known to have few.
    pub counted: u32,
    /// Up to so many matches are gathered and sorted; of more, the page alone is read in order.
    pub few: usize,
    /// A page that seems to be full before so many rows are read in order is not gathered at all.
    pub near: usize,
    /// After so many rows read in order, the search gathers all matches if nearly none of the rows was a match's.
    pub steps: usize,
    /// Rows read in order by one statement, at most; at least 1.
    pub chunk: usize,
    /// More resources whose dates may match far from where they begin are not looked at one by one.
    pub aside: usize,
    /// A sorted page is refused when more resources of its type have been updated since the first page.
    pub changed: usize,
}

impl Default for PlanSettings {
    fn default() -> PlanSettings {
        PlanSettings {
            counted: 3_000,
            few: 5_000,
            near: 4_000,
            steps: 20_000,
            chunk: 8_192,
            aside: 1_000,
            changed: 10_000,
        }
    }
}

/// Where the server listens and where its data are.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// `HOST:PORT`; port 0 picks a free one.
    pub listen: String,
    /// The folder of what is kept in files.
    pub data: PathBuf,
    /// `sqlite:PATH` or `postgres://..`
    pub database: String,
    /// The FHIR base that clients see; `None` makes it from the address that the server listens on.
    pub base_url: Option<String>,
    /// No sign-in is needed at `/fhir`; for trying things out on loopback.
    pub open: bool,
    /// An empty database is filled with a made-up family, accounts whose passwords are known, and a sample app.
    pub demo: bool,
    /// Searches with `_explain=true` tell how they were done.
    pub explain: bool,
    /// Each request is told in the audit trail; `None` unless the server is open, where nobody is known.
    pub audit: Option<bool>,
    /// Proxies in front of this server: what they say in `X-Forwarded-For` is believed.
    pub proxies: Vec<Network>,
    /// Names that this server goes by beside that of its base.
    pub hosts: Vec<String>,
}

impl Default for ServerSettings {
    fn default() -> ServerSettings {
        ServerSettings {
            listen: "127.0.0.1:8080".to_owned(),
            data: PathBuf::from("./emberwell-data"),
            database: "sqlite:./emberwell-data/emberwell.db".to_owned(),
            base_url: None,
            open: false,
            demo: false,
            explain: false,
            audit: None,
            proxies: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

/// What this server may ask of others.
#[derive(Clone, Debug, Default)]
pub struct OutboundSettings {
    /// Origins, such as `http://127.0.0.1:8090`, that may be asked although they have no https or are not on the public
    /// internet.
    pub allow: Vec<String>,
}

/// How apps come to be registered, and how this server presents itself to them.
#[derive(Clone, Debug, Default)]
pub struct AppSettings {
    pub registration: RegistrationPolicy,
    /// Whose server this is, for lists of servers that people choose from; `None` tells nobody.
    pub brand: Option<BrandSettings>,
}

/// Whether apps may register themselves (RFC 7591).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistrationPolicy {
    #[default]
    Off,
    /// Each by a token that the operator gave.
    Invite,
    /// All.
    Open,
}

/// Whose server this is.
///
/// Spec: SMART App Launch 2.2 brands.html
#[derive(Clone, Debug, Default)]
pub struct BrandSettings {
    pub name: String,
    pub website: String,
    /// Where its logo is.
    pub logo: Option<String>,
    /// What people know its pages by.
    pub portal_name: Option<String>,
    /// Lines of the address, such as street and number.
    pub line: Vec<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

/// How slow clients may be, and how many connections they may have.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// The head of a request must be there within this time from its first byte, or from the connection.
    pub head_time: Duration,
    /// A connection without a request is kept so long.
    pub idle_time: Duration,
    /// A body may come, and an answer be taken, as slowly as one likes for so long ..
    pub grace: Duration,
    /// .. then so many bytes must go through per second.
    pub bytes_per_second: u32,
    /// The whole body must be there by then; after twice this time a request is no longer worked for.
    pub request_time: Duration,
    /// Most connections at once.
    pub connections: usize,
    /// Most connections of one address at once; 0 is any number.
    pub connections_per_address: usize,
    /// Addresses whose connections are not counted, beside those of proxies. This machine, unless it is set otherwise: who is on
    /// it needs no network to do harm, and a proxy may be.
    pub uncounted: Vec<Network>,
    /// Answers that clients have not taken yet may come to so many bytes; then requests are turned away.
    pub waiting_bytes: usize,
}

impl Default for NetworkSettings {
    fn default() -> NetworkSettings {
        NetworkSettings {
            head_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(15),
            grace: Duration::from_secs(10),
            bytes_per_second: 1024,
            request_time: Duration::from_secs(120),
            connections: 10_000,
            connections_per_address: 512,
            uncounted: Network::LOOPBACK.to_vec(),
            waiting_bytes: 256 << 20,
        }
    }
}

/// How many requests may come within a minute, of which all may come at once; 0 is any number. None of it holds on a server
/// that is open.
#[derive(Clone, Copy, Debug)]
pub struct RateSettings {
    /// Reads of one caller: of a client, for the person on whose behalf it acts.
    pub reads: u32,
    /// Searches, histories and operations of one caller.
    pub searches: u32,
    /// Changes of one caller; a Bundle is one.
    pub writes: u32,
    /// The same of a system client that may change any record, such as a hospital that brings its data resource by resource.
    pub system_writes: u32,
    /// Requests from one address whose token is not accepted, or that show in vain who their client is.
    pub refused: u32,
    /// Failures of one client, from one address, to show who it is.
    pub failures: u32,
    /// Apps that register themselves from one address.
    pub registrations: u32,
    /// Devices from one address that begin to wait for somebody to let them in.
    pub devices: u32,
    /// Codes that no device shows, typed by one person or from one address.
    pub user_codes: u32,
}

impl RateSettings {
    /// Any number of everything.
    pub const OFF: RateSettings = RateSettings {
        reads: 0,
        searches: 0,
        writes: 0,
        system_writes: 0,
        refused: 0,
        failures: 0,
        registrations: 0,
        devices: 0,
        user_codes: 0,
    };
}

impl Default for RateSettings {
    fn default() -> RateSettings {
        RateSettings {
            reads: 60_000,
            searches: 12_000,
            writes: 12_000,
            system_writes: 120_000,
            refused: 600,
            failures: 60,
            registrations: 10,
            devices: 30,
            user_codes: 5,
        }
    }
}

/// All settings together.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub server: ServerSettings,
    pub fhir: FhirSettings,
    pub limits: LimitSettings,
    pub rates: RateSettings,
    pub network: NetworkSettings,
    pub outbound: OutboundSettings,
    pub sign_in: SignInSettings,
    pub apps: AppSettings,
}
