//! Sign-in by a provider that is not ours: npm `oidc-provider`, through its own pages. `tests/upstream_provider/run` installs it.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use emberwell::config::{NewAccounts, ProviderSecret, ProviderSettings, Settings};
use emberwell::store::{Store, StoreError};

use super::browser::{Browser, attribute, tags};
use super::told;
use crate::support::{Answer, Database, TestServer, on_both};

/// Names the program.
const VARIABLE: &str = "EMBERWELL_TEST_UPSTREAM_PROVIDER";
const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];
/// More redirects than any way has.
const MOST_STEPS: usize = 12;

on_both!(by crate::upstream::foreign::run:
    people_sign_in_by_a_provider_of_others,
    who_is_not_verified_there_or_says_no_is_not_let_in,
);

/// A server, and a provider that runs beside it.
struct Pair {
    server: TestServer,
    _node: Running,
}

/// The program, which is ended when the test is over.
struct Running {
    node: Child,
    /// Kept, or else the program could not tell anything any more.
    told: Lines<BufReader<ChildStdout>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

fn run(database: Database, behaviour: impl AsyncFn(&Pair)) {
    let Some(program) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: {test}: {VARIABLE} is not set (tests/upstream_provider/run sets it)");
        return;
    };
    actix_web::rt::System::new().block_on(async {
        let (mut node, issuer) = start(&program);
        let providers = ALGORITHMS.map(|alg| provider(&issuer, alg)).to_vec();
        let with = |settings: &mut Settings| {
            settings.server.open = false;
            settings.outbound.allow = vec![issuer];
            settings.sign_in.providers = providers;
        };
        let Some(server) = TestServer::start_with(database, with).await else { return };
        writeln!(node.node.stdin.as_mut().unwrap(), "{}", server.url).unwrap();
        node.line("ready");
        let pair = Pair { server, _node: node };
        behaviour(&pair).await;
        pair.server.stop().await;
    });
}

/// Starts the program, which tells its issuer.
fn start(program: &Path) -> (Running, String) {
    let mut command = Command::new("node");
    let command = command.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut node = command.spawn().expect("node is there: tests/upstream_provider/run looks for it");
    let told = BufReader::new(node.stdout.take().unwrap()).lines();
    let mut running = Running { node, told };
    let issuer = running.line("issuer ");
    (running, issuer)
}

impl Running {
    /// What stands behind `begin` on the next line that begins so.
    fn line(&mut self, begin: &str) -> String {
        let mut lines = self.told.by_ref().map_while(Result::ok);
        let line = lines.find_map(|line| Some(line.strip_prefix(begin)?.to_owned()));
        line.unwrap_or_else(|| panic!("the program never told '{begin}'"))
    }
}

fn provider(issuer: &str, alg: &str) -> ProviderSettings {
    ProviderSettings {
        name: alg.to_lowercase(),
        title: format!("Others {alg}"),
        issuer: issuer.to_owned(),
        client_id: format!("client-{alg}"),
        client_secret: Some(ProviderSecret(format!("secret of client-{alg}"))),
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        new_accounts: NewAccounts::Make,
        link_by_email: false,
    }
}

impl Pair {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    /// Goes the whole way of somebody who signs in there as `login`, until a page of this server says something or leads on.
    async fn come(&self, browser: &Browser, alg: &str, login: &str) -> Answer {
        let start = self.url(&format!("/auth/upstream/{}/start?next=/account/providers", alg.to_lowercase()));
        let mut answer = browser.get(&start).await;
        let mut at = start;
        for _ in 0..MOST_STEPS {
            if answer.status == 303 || answer.status == 302 {
                let to = url::Url::parse(&at).unwrap().join(&answer.header("Location")).unwrap().to_string();
                if at.contains("/callback?") {
                    return answer;
                }
                answer = browser.get(&to).await;
                at = to;
                continue;
            }
            if at.starts_with(&self.server.url) {
                return answer;
            }
            assert_eq!(answer.status, 200, "{at}: {}", answer.text());
            let page = answer.text();
            let form = tags(&page, "form").into_iter().next().unwrap_or_else(|| panic!("{at}: {page}"));
            let to = url::Url::parse(&at).unwrap().join(&attribute(form, "action").unwrap()).unwrap().to_string();
            let mut fields = vec![("login", login), ("password", "whatever")];
            fields.retain(|(name, _)| page.contains(&format!("name=\"{name}\"")));
            answer = browser.post(&to, &answer, &fields).await;
            at = to;
        }
        panic!("the way has no end: {at}");
    }
}

async fn people_sign_in_by_a_provider_of_others(pair: &Pair) {
    for alg in ALGORITHMS {
        let browser = Browser::new();
        // The address comes from its userinfo endpoint: it tells it nowhere else.
        let answer = pair.come(&browser, alg, "ana").await.expect(303);
        assert_eq!(answer.header("Location"), "/account/providers", "{alg}");
        let page = browser.get(&pair.url("/account/providers")).await.expect(200).text();
        assert!(page.contains("ana@provider.example") && page.contains("ana of the provider"), "{alg}: {page}");
    }

    // The same person by whichever client.
    let store = Store::open(pair.server.database(), 2, None).unwrap();
    let linked = store.read(|reader| {
        let account = reader.account_by_email("ana@provider.example")?.unwrap();
        reader.identities_of(account.id)
    });
    assert_eq!(linked.unwrap_or_else(|error: StoreError| panic!("{error}")).len(), 1);
}

async fn who_is_not_verified_there_or_says_no_is_not_let_in(pair: &Pair) {
    let browser = Browser::new();
    told(&pair.come(&browser, "RS256", "nobody-1").await, 403, "Your email address is not verified");
    assert_eq!(browser.get(&pair.url("/account/providers")).await.status, 303);

    // `Cancel` on the page of the provider is a link that ends the attempt.
    let browser = Browser::new();
    let answer = browser.get(&pair.url("/auth/upstream/rs256/start")).await.expect(303);
    let authorize = answer.header("Location");
    let answer = browser.get(&authorize).await.expect(303);
    let page = url::Url::parse(&authorize).unwrap().join(&answer.header("Location")).unwrap();
    let answer = browser.get(&format!("{page}/abort")).await.expect(303);
    let answer = browser.get(page.join(&answer.header("Location")).unwrap().as_str()).await.expect(303);
    told(&browser.get(&answer.header("Location")).await, 403, "You were not signed in");
}
