use std::path::Path;

use super::*;

const EXAMPLE: &str = include_str!("../../config.example.toml");

fn error(text: &str) -> String {
    parse(text, Path::new("config.toml")).unwrap_err().to_string()
}

/// The example with every key taken in: the '#' of lines that have no blank after it.
fn uncommented() -> String {
    EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_example_shows_every_key_with_its_default() {
    let shown = |config: &Config| serde_json::to_value(config).unwrap();
    let example = parse(&uncommented(), Path::new("config.example.toml")).unwrap();
    assert_eq!(shown(&example), shown(&Config::default()));
    assert_eq!(shown(&parse(EXAMPLE, Path::new("e")).unwrap()), shown(&Config::default()));

    let text: toml::Table = uncommented().parse().unwrap();
    let mut missing = Vec::new();
    unexplained("", &shown(&Config::default()), &toml::Value::Table(text), &mut missing);
    assert_eq!(missing, Vec::<String>::new(), "keys that config.example.toml does not explain");
}

/// Collects the keys of `settings`, tables within tables too, that `example` has not.
fn unexplained(table: &str, settings: &serde_json::Value, example: &toml::Value, missing: &mut Vec<String>) {
    for (key, value) in settings.as_object().into_iter().flatten() {
        match example.get(key) {
            Some(there) => unexplained(&format!("{table}{key}."), value, there, missing),
            None => missing.push(format!("{table}{key}")),
        }
    }
}

#[rstest::rstest]
#[case("\nprofil = 'x'", "config.toml:2: unknown key `profil`; allowed: `profile`, `account`, ")]
#[case("[server]\n\nidle = 3", "config.toml:3: server: unknown key `idle`; allowed: `idle_secs` or `log`")]
#[case("[server]\nidle_secs = 0", "config.toml:2: server.idle_secs: 0 is out of range; allowed: 1 to 86400")]
#[case(
    "[server]\nidle_secs = 'a'",
    "config.toml:2: server.idle_secs: invalid type: string \"a\"; allowed: a whole number"
)]
#[case("[engine]\ns3_port = 70000", "config.toml:2: engine.s3_port: 70000 is out of range; allowed: 0 to 65535")]
#[case("profile = 'mars'", "config.toml:1: profile: unknown value `mars`; allowed: `local` or `modal`")]
#[case("account = 'a/b'", "config.toml:1: account: has '/'; only letters, digits, '-', '_' and '.' are allowed")]
#[case(
    "[s3]\nendpoint_url = 'x'",
    "config.toml:2: s3.endpoint_url: \"x\" is not a URL; allowed: http://… or https://…"
)]
#[case("[s3]\nbucket = 'No'", "config.toml:2: s3.bucket: \"No\" is not a bucket's name; allowed: 3 to 63")]
#[case("[engine.host]\nextra = 'x'", "config.toml:2: engine.host.extra: invalid type: string \"x\"; allowed: a list")]
#[case(
    "[engine.host]\nextra = ['/opt', 'tools']",
    "config.toml:2: engine.host.extra: \"tools\" is not an absolute path; allowed: paths that begin with `/`"
)]
#[case("[engine.host]\nclaude = '~/claude'", "config.toml:2: engine.host.claude: \"~/claude\" is not an absolute path")]
#[case("[claude]\napi_key_file = 'key'", "config.toml:2: claude.api_key_file: \"key\" is not an absolute path")]
#[case(
    "[engine.images]\n\nstand_ins = { 'a:1' = 'host', 'b:2' = 'c:3' }",
    "config.toml:3: engine.images.stand_ins: \"b:2\" can't mean \"c:3\", which the engine has not; allowed: \"host\""
)]
#[case("server = 1", "config.toml:1: server: invalid type: integer `1`; allowed: a table")]
#[case(
    "[claude]\nuse_bedrock = 1",
    "config.toml:2: claude.use_bedrock: invalid type: integer `1`; allowed: true or false"
)]
#[case("a = ", "config.toml:1: a: ")]
#[case("[engine\n", "config.toml:1: [engine: unclosed table; expected `]`")]
#[case("[server]\nlog = 'info'\nlog = 'warn'", "config.toml:3: log: duplicate key")]
fn an_error_names_file_line_key_and_what_is_allowed(#[case] text: &str, #[case] starts: &str) {
    let error = error(text);
    assert!(error.starts_with(starts), "{error}");
    assert!(!error.contains('\n'), "{error:?}");
}

#[test]
fn a_key_of_the_wrong_type_is_not_shown() {
    let error = error("[claude]\napi_key = ['hunter2']");
    assert!(error.starts_with("config.toml:2: claude.api_key: ") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_key_in_a_line_that_is_no_toml_is_not_shown() {
    let error = error("[claude]\napi_key = \"sk-ant-hunter2\n");
    assert!(error.starts_with("config.toml:2: api_key: ") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_named_file_must_be_there() {
    let error = load(Some(Path::new("/nonexistent/c.toml"))).unwrap_err().to_string();
    assert!(error.starts_with("the configuration /nonexistent/c.toml can't be read"), "{error}");
}

#[test]
fn what_is_shown_holds_no_key() {
    let config = parse("[claude]\napi_key = 'hunter2'", Path::new("c")).unwrap();
    let shown = serde_json::to_string(&config).unwrap();
    assert!(shown.contains("(set, not shown)") && !shown.contains("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));
}
