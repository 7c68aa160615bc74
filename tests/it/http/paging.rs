//! The links from page to page: where they lead while others write, and that nobody can make one up.
//!
//! Spec: R4 http.html#paging

use crate::support::{TestServer, on_both, patient_called};

on_both!(
    pages_lead_forward_and_back_while_others_write,
    a_cursor_that_was_tampered_with_is_refused,
    a_cursor_of_another_search_is_refused,
);

async fn pages_lead_forward_and_back_while_others_write(server: &TestServer) {
    for sort in ["", "&_sort=_id", "&_sort=-_id"] {
        for _ in 0..7 {
            server.create(&patient_called("Oak")).await;
        }
        let all = server.found(&format!("Patient?family=oak{sort}")).await;
        for count in 1..=7 {
            let mut page = server.get(&format!("Patient?family=oak&_count={count}{sort}")).await.expect(200);
            assert_eq!(page.link("previous"), None, "{sort} {count}");
            let mut seen = vec![page.matches()];
            let added = server.create(&patient_called("Oak")).await;
            while let Some(next) = page.link("next") {
                page = server.get(&next).await.expect(200);
                seen.push(page.matches());
            }
            assert_eq!(seen.concat(), all, "{sort} {count}");
            while let Some(previous) = page.link("previous") {
                seen.pop();
                page = server.get(&previous).await.expect(200);
                assert_eq!(Some(&page.matches()), seen.last(), "{sort} {count}");
            }
            assert_eq!(seen.len(), 1, "{sort} {count}");
            server.delete(&format!("Patient/{added}")).await.expect(204);
        }
    }
}

async fn a_cursor_that_was_tampered_with_is_refused(server: &TestServer) {
    for _ in 0..3 {
        server.create(&patient_called("Oak")).await;
    }
    let next = server.get("Patient?family=oak&_count=1").await.link("next").unwrap();
    let (start, cursor) = next.split_once("_cursor=").unwrap();
    for place in 0..cursor.len() {
        let other = if cursor.as_bytes()[place] == b'A' { "B" } else { "A" };
        let tampered = format!("{start}_cursor={}{other}{}", &cursor[..place], &cursor[place + 1..]);
        server.get(&tampered).await.refused(400);
    }
    for foreign in ["1", "AAAA", &cursor[1..], "%00"] {
        let answer = server.get(&format!("{start}_cursor={foreign}")).await;
        answer.refused(400);
        assert!(answer.text().contains("'_cursor'"), "{}", answer.text());
    }
}

async fn a_cursor_of_another_search_is_refused(server: &TestServer) {
    for _ in 0..3 {
        server.create(&patient_called("Oak")).await;
    }
    let next = server.get("Patient?family=oak&_count=1").await.link("next").unwrap();
    let (_, cursor) = next.split_once("_cursor=").unwrap();

    for other in ["Patient?family=elm&_count=1", "Patient?family=oak&_count=2", "Patient?_count=1", "Person?_count=1"] {
        server.get(&format!("{other}&_cursor={cursor}")).await.refused(400);
    }
    server.get(&format!("Patient?family=oak&_count=1&_cursor={cursor}")).await.expect(200);
}
