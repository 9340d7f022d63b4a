//! User-supplied streams in the pool, as any others.

use longwire::CloseReason;
use longwire::script::{Script, connection, raw, reply};

use super::{closed, text};

#[test]
fn a_user_supplied_stream_is_pooled_like_any_other() {
    let script = Script::new()
        .on_with("*", |request| reply(200).body(format!("{}.{}", request.connection(), request.exchange())));
    let client = script.client();
    assert_eq!(text(&client, "http://memory.test/"), "0.0");
    assert_eq!(text(&client, "http://memory.test:80/"), "0.1");
    assert_eq!(text(&client, "http://memory.test:8080/"), "1.0");
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.opened, stats.reused), (2, 2, 1));
    assert_eq!(script.connections(), 2);
    assert_eq!(script.seen()[2].url(), "http://memory.test:8080/");
}

#[test]
fn a_user_supplied_stream_may_give_a_byte_at_a_time() {
    for (reply, body) in
        [(reply(200).body("length"), "length"), (reply(200).chunked(["abc"]).trailer("X-Sum", "1"), "abc")]
    {
        let script = Script::answering(reply).read_max(1);
        let client = script.client();
        assert_eq!(text(&client, "http://memory.test/"), body);
        assert_eq!(text(&client, "http://memory.test/"), body);
        assert_eq!(script.connections(), 1);
    }
}

/// A stream may read in pieces of its own, so a short read is no proof that nothing is left.
#[test]
fn a_response_after_a_short_read_is_never_taken_for_the_next_one() {
    let right = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright";
    let poison = right.replace("5", "6").replace("right", "poison");
    let poisoned = connection().exchange(raw(right)).exchange(raw(right)).exchange(raw(right).more(poison));
    let script = Script::new().connection(poisoned).on("*", raw(right));
    let client = script.client();
    for _ in 0..6 {
        assert_eq!(text(&client, "http://memory.test/"), "right");
    }
    assert_eq!(closed(&client, CloseReason::StrayBytes), 1);
    assert_eq!(script.connections(), 2);
}
