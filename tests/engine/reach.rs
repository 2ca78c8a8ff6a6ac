//! What a sandbox reaches outside, and what it must not.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, http::HeaderMap};
use sandbank::{
    core::ExecId,
    modal::{ExecExit, ExecRequest},
};

use crate::place::{Place, ok, run, sh, soon};

const REAL: &str = "sk-ant-the-real-key";

/// A bash function that asks a port of the sandbox's loopback and prints the first line of the answer.
const ASK: &str = r#"ask() { exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "$2" >&3 && head -n1 <&3; }"#;

fn bash(script: &str) -> ExecRequest {
    ExecRequest::new(ExecId::new(), ["bash", "-c", &format!("{ASK}; {script}")])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_loopback_is_out_of_reach_and_the_store_is_not() {
    let Some(place) = Place::new().await else { return };
    let sandbox = place.sandbox("one").await;
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    host.set_nonblocking(true).unwrap();
    let port = host.local_addr().unwrap().port();

    let direct = run(&sandbox, &bash(&format!("ask {port} 'GET / HTTP/1.0\\r\\n\\r\\n'"))).await;
    assert_ne!(direct.exit, ExecExit::Code(0), "{direct:?}");
    let modal = place.engine().access().modal_url.rsplit(':').next().unwrap().to_owned();
    for target in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("127.0.0.1:{modal}")] {
        let proxied =
            run(&sandbox, &bash(&format!("ask 3128 'CONNECT {target} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'"))).await;
        assert!(proxied.out.starts_with("HTTP/1.1 403"), "{target}: {proxied:?}");
    }
    assert!(host.accept().is_err(), "something of the sandbox came through");

    let store = place.engine().access().s3_url.rsplit(':').next().unwrap().to_owned();
    let answer =
        run(&sandbox, &bash(&format!("ask {store} 'GET / HTTP/1.1\\r\\nHost: 127.0.0.1:{store}\\r\\n\\r\\n'"))).await;
    assert!(answer.out.starts_with("HTTP/1.1 "), "the store did not answer: {answer:?}");
    place.close().await;
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<HeaderMap>>>);

async fn api(seen: Seen) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let note = async |State(seen): State<Seen>, headers: HeaderMap| {
        seen.0.lock().unwrap().push(headers);
        "the answer"
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(note).with_state(seen)).await.unwrap() });
    url
}

/// Asks the key socket as the CLI does: by HTTP, with the key that it was given.
const PERL: &str = r#"
use IO::Socket::UNIX;
my $s = IO::Socket::UNIX->new(Peer => $ENV{ANTHROPIC_UNIX_SOCKET}) or die "no socket: $!";
print $s "GET /v1/models HTTP/1.1\r\nHost: api.local\r\nx-api-key: $ENV{ANTHROPIC_API_KEY}\r\nConnection: close\r\n\r\n";
print while <$s>;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_withheld_key_stays_outside_and_arrives_all_the_same() {
    let Some(mut place) = Place::new().await else { return };
    let seen = Seen::default();
    let url = api(seen.clone()).await;
    let sandbox = place.sandbox("one").await;
    let script = "env; until test -e /tmp/go; do sleep 0.01; done; perl -e \"$PERL\"";
    let env = [("ANTHROPIC_API_KEY", REAL), ("ANTHROPIC_BASE_URL", url.as_str()), ("PERL", PERL)];
    let request = ExecRequest { env: env.into_iter().collect(), ..sh(script) };
    let exec = sandbox.exec(&request).await.unwrap();

    // Nothing on the engine's disk shows it, and the next engine still has it.
    place.stop().await;
    let grep = std::process::Command::new("grep").args(["-r", "-l", "-a", REAL]).arg(place.engine_dir()).output();
    assert_eq!(String::from_utf8_lossy(&grep.unwrap().stdout), "");
    place.start().await;
    let sandbox = place.modal().sandbox(&sandbox.id);
    ok(&sandbox, "touch /tmp/go").await;

    let done = run(&sandbox, &ExecRequest { exec_id: exec.id, ..request }).await;
    assert_eq!(done.exit, ExecExit::Code(0), "{done:?}");
    assert!(done.out.contains("the answer"), "{done:?}");
    assert!(done.out.contains("ANTHROPIC_BASE_URL=http://api.local\n"), "{done:?}");
    assert!(!done.out.contains(REAL), "the key was in the sandbox");
    let headers = seen.0.lock().unwrap().pop().unwrap();
    assert_eq!(headers["x-api-key"], REAL);

    // A command without the key has no socket, and that of the ended one is deaf.
    let socket = format!("/run/sandbank/{}.sock", exec.id);
    let again = format!("ANTHROPIC_UNIX_SOCKET={socket} timeout 1 perl -e \"$PERL\"; env");
    let plain = ExecRequest { env: [("PERL", PERL)].into_iter().collect(), ..sh(&again) };
    let after = soon("a command without keys", run(&sandbox, &plain)).await;
    assert!(!after.out.contains("the answer") && !after.out.contains("ANTHROPIC_BASE_URL"), "{after:?}");
    assert!(seen.0.lock().unwrap().is_empty());
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sandboxes_do_not_see_each_other() {
    let Some(place) = Place::new().await else { return };
    let [one, two] = [place.sandbox("one").await, place.sandbox("two").await];
    let perl = "use IO::Socket::INET; @s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1:4000') or die; \
                open F, '>', '/tmp/up'; close F; sleep 1000";
    let listening = sh(&format!("perl -e \"{perl}\""));
    one.exec(&listening).await.unwrap();
    ok(&one, "until test -e /tmp/up; do sleep 0.01; done").await;
    assert_eq!(run(&one, &bash("exec 3<>/dev/tcp/127.0.0.1/4000")).await.exit, ExecExit::Code(0));
    assert_ne!(run(&two, &bash("exec 3<>/dev/tcp/127.0.0.1/4000")).await.exit, ExecExit::Code(0));
    ok(&one, "test -d /proc/1 && echo shared > shared; echo mine > /tmp/mine").await;
    assert_eq!(ok(&two, "cat shared; ls /tmp/mine 2>/dev/null || echo none").await, "shared\nnone\n");
    place.close().await;
}
