//! Settings from flags, variables and `emberwell.toml`, in this order of weight.

mod providers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use crate::cli::Failure;
use crate::cli::settings::providers::SignInSection;
use crate::config::{
    AppSettings, BrandSettings, FhirSettings, LimitSettings, Network, NetworkSettings, NotANetwork, OutboundSettings,
    PlanSettings, RateSettings, RegistrationPolicy, ServerSettings, Settings,
};
use crate::fhir::{NotAZone, Zone};
use crate::outbound::{NotAnOrigin, parse_origin};

/// The file that is read when no other is named.
const FILE: &str = "emberwell.toml";
/// What the HTTP library can hold.
const MOST_ADDRESS_BYTES: usize = 65_534;
const MOST_HEAD_BYTES: usize = 128 << 10;

/// The flags that all commands take.
#[derive(Debug, Default, Args)]
pub(super) struct SettingArgs {
    /// Settings file [default: emberwell.toml, if there is one]
    #[arg(long, global = true, env = "EMBERWELL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = "EMBERWELL_LISTEN", value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Folder of the data [default: ./emberwell-data]
    #[arg(long, global = true, env = "EMBERWELL_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Database: sqlite:PATH or postgres://.. [default: sqlite:DIR/emberwell.db]
    #[arg(long, global = true, env = "EMBERWELL_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
    /// FHIR base that clients see, when it is not where the server listens
    #[arg(long, global = true, env = "EMBERWELL_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// Fill an empty database with a made-up family, accounts whose passwords are known, and a sample app; only on loopback
    #[arg(long, global = true, env = "EMBERWELL_DEMO", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    demo: Option<bool>,
    /// Need no sign-in at /fhir; only on loopback
    #[arg(long, global = true, env = "EMBERWELL_OPEN", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    open: Option<bool>,
    /// Let searches with _explain=true tell how they were done [default: as --demo]
    #[arg(long, global = true, env = "EMBERWELL_EXPLAIN", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    explain: Option<bool>,
    /// Tell of each request in the audit trail [default: unless --open, where nobody is known]
    #[arg(long, global = true, env = "EMBERWELL_AUDIT", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    audit: Option<bool>,
    /// Store a Provenance with each version that is written by a token [default: true]
    #[arg(long, global = true, env = "EMBERWELL_PROVENANCE", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    provenance: Option<bool>,
    /// Limit how often callers may ask, as the file says under [rates] [default: true]
    #[arg(long, global = true, env = "EMBERWELL_RATES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rates: Option<bool>,
    /// Proxies in front of this server, whose X-Forwarded-For is believed, such as 10.0.0.0/8
    #[arg(long, global = true, env = "EMBERWELL_PROXIES", value_name = "ADDRESS", value_delimiter = ',')]
    proxies: Option<Vec<Network>>,
    /// Names that this server may be asked for by, beside the host of its base and localhost
    #[arg(long, global = true, env = "EMBERWELL_HOSTS", value_name = "HOST", value_delimiter = ',')]
    hosts: Option<Vec<String>>,
    /// Zone of dates that name none: +hh:mm, -hh:mm or Z [default: Z]
    #[arg(long, global = true, env = "EMBERWELL_ZONE", value_name = "ZONE", allow_hyphen_values = true)]
    zone: Option<Zone>,
    /// Origins that may be asked for keys although they are not on the public internet, such as http://127.0.0.1:8090
    #[arg(long, global = true, env = "EMBERWELL_OUTBOUND_ALLOW", value_name = "ORIGIN", value_delimiter = ',')]
    outbound_allow: Option<Vec<String>>,
    /// Whether apps may register themselves: off, invite (by a token of 'client invite') or open [default: off]
    #[arg(long, global = true, env = "EMBERWELL_REGISTRATION", value_name = "WHO")]
    registration: Option<String>,
    /// Write the log as JSON
    #[arg(long, global = true, env = "EMBERWELL_LOG_JSON")]
    pub(super) log_json: bool,
}

/// `emberwell.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    listen: Option<String>,
    data: Option<PathBuf>,
    database: Option<String>,
    base_url: Option<String>,
    demo: Option<bool>,
    open: Option<bool>,
    explain: Option<bool>,
    audit: Option<bool>,
    provenance: Option<bool>,
    proxies: Option<Vec<String>>,
    hosts: Option<Vec<String>>,
    zone: Option<String>,
    registration: Option<String>,
    fhir: FhirSection,
    limits: LimitSection,
    rates: RateSection,
    network: NetworkSection,
    outbound: OutboundSection,
    sign_in: SignInSection,
    brand: Option<BrandSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct FhirSection {
    update_creates: Option<bool>,
    version_unchanged: Option<bool>,
    delete_multiple: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct LimitSection {
    address_bytes: Option<usize>,
    head_bytes: Option<usize>,
    resource_bytes: Option<usize>,
    bundle_bytes: Option<usize>,
    bundle_entries: Option<usize>,
    requests: Option<usize>,
    search_seconds: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RateSection {
    reads: Option<u32>,
    searches: Option<u32>,
    writes: Option<u32>,
    system_writes: Option<u32>,
    refused: Option<u32>,
    failures: Option<u32>,
    registrations: Option<u32>,
    devices: Option<u32>,
    user_codes: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct NetworkSection {
    head_seconds: Option<u32>,
    idle_seconds: Option<u32>,
    grace_seconds: Option<u32>,
    bytes_per_second: Option<u32>,
    request_seconds: Option<u32>,
    connections: Option<usize>,
    connections_per_address: Option<usize>,
    uncounted: Option<Vec<String>>,
    waiting_bytes: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct OutboundSection {
    allow: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct BrandSection {
    name: String,
    website: String,
    logo: Option<String>,
    portal_name: Option<String>,
    line: Vec<String>,
    city: Option<String>,
    state: Option<String>,
    postal_code: Option<String>,
    country: Option<String>,
}

/// The settings that hold for this run.
pub(super) fn read(args: &SettingArgs) -> Result<Settings, Failure> {
    let file = match &args.config {
        Some(path) => file(path)?,
        None if Path::new(FILE).exists() => file(Path::new(FILE))?,
        None => File::default(),
    };
    settled(args, file)
}

fn file(path: &Path) -> Result<File, Failure> {
    let name = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{name} can't be read: {error}")))?;
    toml::from_str(&text).map_err(|error| Failure::Usage(format!("{name} is not valid: {error}")))
}

fn settled(args: &SettingArgs, file: File) -> Result<Settings, Failure> {
    let defaults = ServerSettings::default();
    let data = args.data.clone().or(file.data).unwrap_or(defaults.data);
    let database = args.database.clone().or(file.database);
    let demo = args.demo.or(file.demo).unwrap_or(defaults.demo);
    let base_url = match args.base_url.clone().or(file.base_url) {
        Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
            return Err(Failure::Usage("the base URL must begin with http:// or https://".to_owned()));
        }
        other => other.map(|url| url.trim_end_matches('/').to_owned()),
    };
    let zone = match (args.zone, file.zone) {
        (Some(zone), _) => Some(zone),
        (None, Some(text)) => Some(text.parse().map_err(|error: NotAZone| Failure::Usage(error.to_string()))?),
        (None, None) => None,
    };
    let outbound = OutboundSettings { allow: allowed_origins(args, file.outbound)? };
    let apps = AppSettings {
        registration: registration(args.registration.as_deref().or(file.registration.as_deref()))?,
        brand: file.brand.map(brand).transpose()?,
    };
    let fhir = FhirSettings::default();
    let limits = LimitSettings::default();
    Ok(Settings {
        server: ServerSettings {
            listen: args.listen.clone().or(file.listen).unwrap_or(defaults.listen),
            database: database.unwrap_or_else(|| format!("sqlite:{}/emberwell.db", data.display())),
            data,
            base_url,
            open: args.open.or(file.open).unwrap_or(defaults.open),
            demo,
            explain: args.explain.or(file.explain).unwrap_or(demo),
            audit: args.audit.or(file.audit),
            proxies: proxies(args, file.proxies)?,
            hosts: args.hosts.clone().or(file.hosts).unwrap_or_default(),
        },
        fhir: FhirSettings {
            update_creates: file.fhir.update_creates.unwrap_or(fhir.update_creates),
            version_unchanged: file.fhir.version_unchanged.unwrap_or(fhir.version_unchanged),
            delete_multiple: file.fhir.delete_multiple.unwrap_or(fhir.delete_multiple),
            zone_minutes: zone.map_or(fhir.zone_minutes, Zone::minutes),
            provenance: args.provenance.or(file.provenance).unwrap_or(fhir.provenance),
            ..fhir
        },
        limits: LimitSettings {
            address_bytes: at_most("address-bytes", file.limits.address_bytes, MOST_ADDRESS_BYTES)?
                .unwrap_or(limits.address_bytes),
            head_bytes: at_most("head-bytes", file.limits.head_bytes, MOST_HEAD_BYTES)?.unwrap_or(limits.head_bytes),
            resource_bytes: file.limits.resource_bytes.unwrap_or(limits.resource_bytes),
            bundle_bytes: file.limits.bundle_bytes.unwrap_or(limits.bundle_bytes),
            bundle_entries: file.limits.bundle_entries.unwrap_or(limits.bundle_entries),
            requests: file.limits.requests.unwrap_or(limits.requests),
            search_time: match file.limits.search_seconds {
                Some(0) => None,
                Some(seconds) => Some(Duration::from_secs(u64::from(seconds))),
                None => limits.search_time,
            },
            plan: PlanSettings::default(),
        },
        rates: rates(args, &file.rates),
        network: network(file.network)?,
        sign_in: providers::sign_in(file.sign_in, &outbound, |name| std::env::var(name).ok())?,
        outbound,
        apps,
    })
}

fn registration(text: Option<&str>) -> Result<RegistrationPolicy, Failure> {
    match text {
        None | Some("off") => Ok(RegistrationPolicy::Off),
        Some("invite") => Ok(RegistrationPolicy::Invite),
        Some("open") => Ok(RegistrationPolicy::Open),
        Some(text) => Err(Failure::Usage(format!("registration: '{text}' is none of off, invite and open"))),
    }
}

fn brand(file: BrandSection) -> Result<BrandSettings, Failure> {
    if file.name.trim().is_empty() {
        return Err(Failure::Usage("[brand] name: say whose server this is".to_owned()));
    }
    for (name, url) in [("website", Some(&file.website)), ("logo", file.logo.as_ref())] {
        if url.is_some_and(|url| !url.starts_with("https://") || url.len() == "https://".len()) {
            return Err(Failure::Usage(format!("[brand] {name}: it must be an address with https")));
        }
    }
    Ok(BrandSettings {
        name: file.name,
        website: file.website,
        logo: file.logo,
        portal_name: file.portal_name,
        line: file.line,
        city: file.city,
        state: file.state,
        postal_code: file.postal_code,
        country: file.country,
    })
}

/// A setting beyond which the HTTP library would refuse first, without saying why.
fn at_most(name: &str, given: Option<usize>, most: usize) -> Result<Option<usize>, Failure> {
    match given {
        Some(given) if given > most => {
            Err(Failure::Usage(format!("{name}: {given} is more than the {most} that can be")))
        }
        given => Ok(given),
    }
}

fn rates(args: &SettingArgs, file: &RateSection) -> RateSettings {
    if args.rates == Some(false) {
        return RateSettings::OFF;
    }
    let default = RateSettings::default();
    RateSettings {
        reads: file.reads.unwrap_or(default.reads),
        searches: file.searches.unwrap_or(default.searches),
        writes: file.writes.unwrap_or(default.writes),
        system_writes: file.system_writes.unwrap_or(default.system_writes),
        refused: file.refused.unwrap_or(default.refused),
        failures: file.failures.unwrap_or(default.failures),
        registrations: file.registrations.unwrap_or(default.registrations),
        devices: file.devices.unwrap_or(default.devices),
        user_codes: file.user_codes.unwrap_or(default.user_codes),
    }
}

fn network(file: NetworkSection) -> Result<NetworkSettings, Failure> {
    let default = NetworkSettings::default();
    let time = |seconds: Option<u32>, default: Duration| match seconds {
        Some(0) => Err(Failure::Usage("a time under [network] must be at least a second".to_owned())),
        Some(seconds) => Ok(Duration::from_secs(u64::from(seconds))),
        None => Ok(default),
    };
    Ok(NetworkSettings {
        head_time: time(file.head_seconds, default.head_time)?,
        idle_time: time(file.idle_seconds, default.idle_time)?,
        grace: time(file.grace_seconds, default.grace)?,
        bytes_per_second: file.bytes_per_second.unwrap_or(default.bytes_per_second),
        request_time: time(file.request_seconds, default.request_time)?,
        connections: file.connections.unwrap_or(default.connections),
        connections_per_address: file.connections_per_address.unwrap_or(default.connections_per_address),
        uncounted: match file.uncounted {
            Some(texts) => networks("uncounted", &texts)?,
            None => default.uncounted,
        },
        waiting_bytes: file.waiting_bytes.unwrap_or(default.waiting_bytes),
    })
}

fn proxies(args: &SettingArgs, file: Option<Vec<String>>) -> Result<Vec<Network>, Failure> {
    match &args.proxies {
        Some(proxies) => Ok(proxies.clone()),
        None => networks("proxies", &file.unwrap_or_default()),
    }
}

fn networks(name: &str, texts: &[String]) -> Result<Vec<Network>, Failure> {
    let networks = texts.iter().map(|text| text.parse()).collect::<Result<_, NotANetwork>>();
    networks.map_err(|error| Failure::Usage(format!("{name}: {error}")))
}

fn allowed_origins(args: &SettingArgs, file: OutboundSection) -> Result<Vec<String>, Failure> {
    let texts = args.outbound_allow.clone().or(file.allow).unwrap_or_default();
    let origins = texts.iter().map(|text| parse_origin(text)).collect::<Result<_, NotAnOrigin>>();
    origins.map_err(|error| Failure::Usage(format!("outbound-allow: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> File {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_flag_outweighs_the_file_and_the_file_the_default() {
        let args = SettingArgs { listen: Some("127.0.0.1:1".to_owned()), ..SettingArgs::default() };
        let text = "listen = \"127.0.0.1:2\"\ndata = \"/srv/x\"\n[fhir]\ndelete-multiple = true";

        let settings = settled(&args, parsed(text)).unwrap();

        assert_eq!(settings.server.listen, "127.0.0.1:1");
        assert_eq!(settings.server.database, "sqlite:/srv/x/emberwell.db");
        assert_eq!(settings.server.data, Path::new("/srv/x"));
        assert!(settings.fhir.delete_multiple && settings.fhir.update_creates);
        assert!(!settings.server.open);
    }

    #[test]
    fn a_zone_is_written_as_in_dates() {
        let minutes = |args: &SettingArgs, text: &str| settled(args, parsed(text)).map(|it| it.fhir.zone_minutes).ok();
        let west = SettingArgs { zone: Some("-05:00".parse().unwrap()), ..SettingArgs::default() };

        assert_eq!(minutes(&SettingArgs::default(), ""), Some(0));
        assert_eq!(minutes(&SettingArgs::default(), "zone = \"+05:30\""), Some(330));
        assert_eq!(minutes(&SettingArgs::default(), "zone = \"330\""), None);
        assert_eq!(minutes(&west, "zone = \"+05:30\""), Some(-300));
    }

    #[test]
    fn a_demo_is_closed_unless_it_is_opened_on_purpose() {
        assert!(!settled(&SettingArgs::default(), parsed("demo = true")).unwrap().server.open);
        assert!(settled(&SettingArgs::default(), parsed("demo = true\nopen = true")).unwrap().server.open);
    }

    #[test]
    fn searches_have_ten_seconds_or_what_the_file_says() {
        let time = |text: &str| settled(&SettingArgs::default(), parsed(text)).unwrap().limits.search_time;

        assert_eq!(time(""), Some(Duration::from_secs(10)));
        assert_eq!(time("[limits]\nsearch-seconds = 5"), Some(Duration::from_secs(5)));
        assert_eq!(time("[limits]\nsearch-seconds = 0"), None);
    }

    #[test]
    fn a_demo_explains_its_searches_unless_told_otherwise() {
        let explains = |text: &str| settled(&SettingArgs::default(), parsed(text)).unwrap().server.explain;

        assert!(!explains("open = true"));
        assert!(explains("demo = true") && explains("explain = true"));
        assert!(!explains("demo = true\nexplain = false"));
    }

    #[test]
    fn origins_that_may_be_asked_are_listed_exactly() {
        let allowed = |args: &SettingArgs, text: &str| settled(args, parsed(text)).map(|it| it.outbound.allow).ok();
        let flag = SettingArgs { outbound_allow: Some(vec!["http://[::1]:1/".to_owned()]), ..SettingArgs::default() };
        let file = "[outbound]\nallow = [\"http://127.0.0.1:8090\"]";

        assert_eq!(allowed(&SettingArgs::default(), ""), Some(Vec::new()));
        assert_eq!(allowed(&SettingArgs::default(), file), Some(vec!["http://127.0.0.1:8090".to_owned()]));
        assert_eq!(allowed(&flag, file), Some(vec!["http://[::1]:1".to_owned()]));
        assert_eq!(allowed(&SettingArgs::default(), "[outbound]\nallow = [\"*\"]"), None);
    }

    #[test]
    fn heads_are_no_larger_than_can_be() {
        let heads = |text: &str| settled(&SettingArgs::default(), parsed(text)).map(|it| it.limits).ok();
        let both = |text: &str| heads(text).map(|it| (it.address_bytes, it.head_bytes));

        assert_eq!(both(""), Some((16_384, 65_536)));
        assert_eq!(both("[limits]\naddress-bytes = 65534\nhead-bytes = 131072"), Some((65_534, 131_072)));
        assert_eq!(both("[limits]\naddress-bytes = 65535"), None);
        assert_eq!(both("[limits]\nhead-bytes = 131073"), None);
    }

    #[test]
    fn rates_are_those_of_the_file_or_all_off() {
        let rates = |args: &SettingArgs, text: &str| settled(args, parsed(text)).unwrap().rates;
        let off = SettingArgs { rates: Some(false), ..SettingArgs::default() };
        let file = "[rates]\nwrites = 5\nsystem-writes = 6\nrefused = 0";

        assert_eq!(rates(&SettingArgs::default(), "").writes, RateSettings::default().writes);
        assert_eq!((rates(&SettingArgs::default(), file).writes, rates(&SettingArgs::default(), file).refused), (5, 0));
        assert_eq!(rates(&SettingArgs::default(), file).system_writes, 6);
        assert_eq!((rates(&off, file).writes, rates(&off, file).reads), (0, 0));
    }

    #[test]
    fn proxies_are_addresses_or_ranges() {
        let proxies = |text: &str| settled(&SettingArgs::default(), parsed(text)).map(|it| it.server.proxies).ok();

        assert_eq!(proxies(""), Some(Vec::new()));
        assert_eq!(proxies("proxies = [\"10.0.0.0/8\"]"), Some(vec!["10.0.0.0/8".parse().unwrap()]));
        assert_eq!(proxies("proxies = [\"proxy.example\"]"), None);
    }

    #[test]
    fn the_network_is_as_the_file_says() {
        let network = |text: &str| settled(&SettingArgs::default(), parsed(text)).map(|it| it.network).ok();

        assert_eq!(network("").unwrap().uncounted, Network::LOOPBACK);
        assert_eq!(network("[network]\nuncounted = []\nhead-seconds = 7").unwrap().head_time, Duration::from_secs(7));
        assert!(network("[network]\nuncounted = []").unwrap().uncounted.is_empty());
        assert!(network("[network]\nuncounted = [\"everybody\"]").is_none());
        assert!(network("[network]\ngrace-seconds = 0").is_none());
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(toml::from_str::<File>("lisen = \"127.0.0.1:2\"").is_err());
        assert!(toml::from_str::<File>("[limits]\nresources = 1").is_err());
    }

    #[test]
    fn apps_register_themselves_only_where_that_is_set() {
        let policy = |args: &SettingArgs, text: &str| settled(args, parsed(text)).map(|it| it.apps.registration).ok();
        let flag = SettingArgs { registration: Some("open".to_owned()), ..SettingArgs::default() };

        assert_eq!(policy(&SettingArgs::default(), ""), Some(RegistrationPolicy::Off));
        assert_eq!(policy(&SettingArgs::default(), "registration = \"invite\""), Some(RegistrationPolicy::Invite));
        assert_eq!(policy(&flag, "registration = \"off\""), Some(RegistrationPolicy::Open));
        assert_eq!(policy(&SettingArgs::default(), "registration = \"yes\""), None);
    }

    #[test]
    fn a_brand_has_a_name_and_a_website() {
        let brand = |text: &str| settled(&SettingArgs::default(), parsed(text)).map(|it| it.apps.brand).ok();

        assert!(brand("").unwrap().is_none());
        assert_eq!(brand("[brand]\nname = \"A\"\nwebsite = \"https://a.example\"").unwrap().unwrap().name, "A");
        assert!(brand("[brand]\nname = \"A\"\nwebsite = \"http://a.example\"").is_none());
        assert!(brand("[brand]\nwebsite = \"https://a.example\"").is_none());
    }

    #[test]
    fn a_base_url_has_no_slash_at_the_end() {
        let settings = settled(&SettingArgs::default(), parsed("base-url = \"https://a.org/fhir/\"")).unwrap();

        assert_eq!(settings.server.base_url.as_deref(), Some("https://a.org/fhir"));
        assert!(settled(&SettingArgs::default(), parsed("base-url = \"a.org/fhir\"")).is_err());
    }
}
