//! The link by which the first account is made.

use emberwell::config::Settings;
use emberwell::store::Role;

use super::{PASSWORD, person, read, session};
use crate::support::browser::{Browser, form};
use crate::support::{Database, TestServer, on_both};

on_both!(closed: the_link_makes_one_operator, what_is_filled_in_wrong_is_said_beside_its_field);
on_both!(by crate::sign_in::set_up::restarted: a_restart_gives_a_new_link_until_there_is_an_account);

fn path(server: &TestServer) -> String {
    let link = server.set_up_link().unwrap();
    let path = link.strip_prefix(&server.url).unwrap();
    assert!(path.starts_with("/set-up?token="), "{link}");
    path.to_owned()
}

const OLGA: [(&str, &str); 3] = [("name", "Olga"), ("email", "Olga@example.org"), ("password", PASSWORD)];

async fn the_link_makes_one_operator(server: &TestServer) {
    let path = path(server);
    let (browser, other) = (Browser::new(server), Browser::new(server));
    other.get("/set-up").await.expect(404);
    other.get("/set-up?token=x").await.expect(404);
    other.get(&path.replace("token=", "token=x")).await.expect(404);
    let late = form(&other.get(&path).await.expect(200), "/set-up");
    // Somebody who is no operator changes nothing of it.
    person(server, "anna");

    let made = browser.submit(&path, "/set-up", &OLGA).await;

    assert_eq!((made.status, made.header("Location").as_str()), (303, "/account"), "{}", made.text());
    let olga = read(server, |reader| reader.account_by_email("olga@example.org")).unwrap();
    assert_eq!((olga.role, olga.name.as_str()), (Role::Operator, "Olga"));
    assert_eq!(session(server, &browser).unwrap().account, olga.id);
    let page = browser.get("/account").await.expect(200).text();
    assert!(page.contains("The account was made"), "{page}");
    let late = OLGA.iter().fold(late, |form, (name, value)| form.with(name, value)).with("email", "eve@example.org");
    other.send_form(&late).await.expect(404);
    other.get(&path).await.expect(404);
    assert_eq!(read(server, |reader| reader.account_by_email("eve@example.org")), None);
    Browser::new(server).sign_in("olga@example.org", PASSWORD).await;
}

async fn what_is_filled_in_wrong_is_said_beside_its_field(server: &TestServer) {
    person(server, "anna");
    let path = path(server);
    let browser = Browser::new(server);
    for (field, value, reason) in [
        ("name", " ", "A name has 1 to 200 characters"),
        ("email", "olga", "An e-mail address has one @"),
        ("email", "anna@example.org", "There is an account with the address"),
        ("password", "olga1234", "tried first"),
        ("password", "", "8 to 256 characters"),
    ] {
        let page = browser.get(&path).await.expect(200);
        let filled = OLGA.iter().fold(form(&page, "/set-up"), |form, (name, value)| form.with(name, value));
        let answer = browser.send_form(&filled.with(field, value)).await.expect(400);
        let text = answer.text();
        assert!(text.contains(reason) && text.contains(&format!("aria-describedby=\"{field}-problem")), "{text}");
        assert!(!text.contains(PASSWORD));
    }
    assert!(!read(server, |reader| reader.has_operator()));
}

/// On a server that the behaviour stops and starts.
fn restarted(database: Database, behaviour: impl AsyncFn(TestServer)) {
    actix_web::rt::System::new().block_on(async {
        let closed = |settings: &mut Settings| settings.server.open = false;
        let Some(server) = TestServer::start_with(database, closed).await else { return };
        behaviour(server).await;
    });
}

async fn a_restart_gives_a_new_link_until_there_is_an_account(server: TestServer) {
    let first = path(&server);
    let closed = |settings: &mut Settings| settings.server.open = false;
    let server = server.again(closed).await;
    let second = path(&server);
    assert_ne!(first, second);
    Browser::new(&server).get(&first).await.expect(404);
    Browser::new(&server).submit(&second, "/set-up", &OLGA).await.expect(303);

    let server = server.again(closed).await;

    assert_eq!(server.set_up_link(), None);
    let server = server.again(|settings| settings.server.open = true).await;
    assert_eq!(server.set_up_link(), None);
    server.stop().await;
}
