//! The control plane: what is kept, what happens once, what is refused with which words.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use sandbank::{
    core::ImageConfig,
    engine::{Engine, Settings},
    modal::{ErrorKind, LocalFile, ModalError, Stage},
    proto::client::{
        AppGetOrCreateRequest, BlobGetRequest, ImageGetOrCreateRequest, ImageJoinStreamingRequest, MountPutFileRequest,
        ObjectCreationType, SecretGetOrCreateRequest, VolumeDeleteRequest, VolumeListRequest,
        modal_client_client::ModalClientClient, mount_put_file_request::DataOneof,
    },
};
use sha2::{Digest, Sha256};
use tonic::{Code, Request, transport::Channel};

use crate::place::{Place, soon};

/// A call as Modal's own clients make it.
fn call<T>(place: &Place, message: T) -> Request<T> {
    let access = place.engine().access();
    let mut request = Request::new(message);
    let headers = request.metadata_mut();
    headers.insert("x-modal-client-type", "1".parse().unwrap());
    headers.insert("x-modal-token-id", access.token_id.parse().unwrap());
    headers.insert("x-modal-token-secret", access.token_secret.parse().unwrap());
    request
}

async fn client(place: &Place) -> ModalClientClient<Channel> {
    ModalClientClient::connect(place.engine().access().modal_url.clone()).await.unwrap()
}

fn secret(name: &str, how: ObjectCreationType, values: &[(&str, &str)]) -> SecretGetOrCreateRequest {
    SecretGetOrCreateRequest {
        deployment_name: name.into(),
        object_creation_type: how.into(),
        env_dict: values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..SecretGetOrCreateRequest::default()
    }
}

/// Every byte of every file below a folder.
fn bytes_below(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            out.extend(bytes_below(&entry.path()));
        } else {
            out.push((entry.path(), fs::read(entry.path()).unwrap_or_default()));
        }
    }
    out
}

#[tokio::test]
async fn what_was_made_is_there_after_a_restart_and_secrets_never_in_plain() {
    let Some(mut place) = Place::new().await else { return };
    let before = place.engine().access().clone();
    let (app, volume) = (place.modal().app("a").await.unwrap(), place.modal().volume("v").await.unwrap());
    let made = client(&place).await;
    let request = secret("api", ObjectCreationType::CreateIfMissing, &[("TOKEN", "horse-battery-staple")]);
    let secret_id = made.clone().secret_get_or_create(call(&place, request)).await.unwrap().into_inner().secret_id;
    place.stop().await;
    for (path, bytes) in bytes_below(&place.engine_dir()) {
        assert!(!bytes.windows(20).any(|w| w == b"horse-battery-staple"), "{}", path.display());
    }
    for name in ["access.json", "key", "engine.db"] {
        let mode = fs::metadata(place.engine_dir().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    place.start().await;
    let after = place.engine().access();
    assert_eq!((&after.modal_url, &after.s3_url), (&before.modal_url, &before.s3_url), "ports are kept");
    assert_eq!((&after.token_secret, &after.secret_access_key), (&before.token_secret, &before.secret_access_key));
    let modal = place.modal();
    assert_eq!(modal.existing_app("a").await.unwrap(), Some(app));
    assert_eq!(modal.volume("v").await.unwrap(), volume);
    assert_eq!(modal.secret("api", &["TOKEN"]).await.unwrap(), secret_id);
    let lacking = modal.secret("api", &["TOKEN", "OTHER"]).await.unwrap_err();
    assert!(lacking.to_string().contains("Secret is missing key(s): OTHER"), "{lacking}");
    assert_eq!(modal.secret("none", &[]).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(modal.existing_app("none").await.unwrap(), None);
    place.close().await;
}

#[tokio::test]
async fn a_call_without_the_token_learns_nothing() {
    let Some(place) = Place::new().await else { return };
    let mut client = client(&place).await;
    for (header, value) in [("x-modal-token-id", "ak-other"), ("x-modal-token-secret", "as-other")] {
        let mut request = call(&place, AppGetOrCreateRequest::default());
        request.metadata_mut().insert(header, value.parse().unwrap());
        let said = client.app_get_or_create(request).await.unwrap_err();
        assert_eq!(said.code(), Code::Unauthenticated);
        assert!(said.message().contains("sandbank engine env"), "{said}");
    }
    let said = client.app_get_or_create(Request::new(AppGetOrCreateRequest::default())).await.unwrap_err();
    assert_eq!(said.code(), Code::Unauthenticated);
    place.close().await;
}

#[tokio::test]
async fn the_same_key_makes_one_object() {
    let Some(mut place) = Place::new().await else { return };
    let make = async |place: &Place| {
        let mut request = call(place, secret("", ObjectCreationType::Ephemeral, &[("A", "1")]));
        request.metadata_mut().insert("x-idempotency-key", "0d3c0e52".parse().unwrap());
        client(place).await.secret_get_or_create(request).await.unwrap().into_inner().secret_id
    };
    let first = make(&place).await;
    assert_eq!(make(&place).await, first);
    place.stop().await;
    place.start().await;
    assert_eq!(make(&place).await, first);
    place.close().await;
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_setting() {
    let Some(place) = Place::new().await else { return };
    let other = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let port = place.engine().access().modal_url.rsplit_once(':').unwrap().1.parse().unwrap();
    let settings = Settings {
        dir: other.path().join("engine"),
        cache: other.path().join("cache"),
        data_dir: other.path().to_path_buf(),
        program: place.program.clone(),
        modal_port: port,
        s3_port: 0,
        bucket: "b".to_owned(),
        stand_ins: Default::default(),
        extra: Vec::new(),
        claude: None,
        disk_floor: 0,
        withhold: Vec::new(),
    };
    let said = Engine::start(settings).await.unwrap_err().to_string();
    assert!(said.contains(&port.to_string()) && said.contains("[engine] modal_port"), "{said}");
    place.close().await;
}

#[tokio::test]
async fn mounts_take_only_what_has_its_digest() {
    let Some(place) = Place::new().await else { return };
    let mut client = client(&place).await;
    let right = hex::encode(Sha256::digest(b"right"));
    let put = |data: &[u8]| MountPutFileRequest {
        sha256_hex: right.clone(),
        data_oneof: Some(DataOneof::Data(data.to_vec())),
    };
    let said = client.mount_put_file(call(&place, put(b"wrong"))).await.unwrap_err();
    assert_eq!(said.code(), Code::InvalidArgument);
    assert!(client.mount_put_file(call(&place, put(b"right"))).await.unwrap().into_inner().exists);

    // Our own client: a small file in the message, a large one by a blob.
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: Vec<u8>| {
        let source = dir.path().join(name);
        fs::write(&source, &bytes).unwrap();
        LocalFile {
            source,
            target: format!("/opt/{name}"),
            sha256: hex::encode(Sha256::digest(&bytes)),
            size: bytes.len() as u64,
            mode: 0o755,
        }
    };
    let files = [file("small", b"small".to_vec()), file("large", vec![7; 9 << 20])];
    let modal = place.modal();
    let app = modal.app("a").await.unwrap();
    let sent = Mutex::new(0);
    let count = |_: &LocalFile| *sent.lock().unwrap() += 1;
    let first = modal.mount(&app, &files, &count).await.unwrap();
    assert_eq!(*sent.lock().unwrap(), 2);
    assert_eq!(modal.mount(&app, &files, &count).await.unwrap(), first);
    assert_eq!(*sent.lock().unwrap(), 2, "nothing is sent twice");
    assert!(place.names("blobs").is_empty(), "a blob that became a file is gone");
    let gone = client.blob_get(call(&place, BlobGetRequest { blob_id: "bl-../../key".into(), ..Default::default() }));
    assert_eq!(gone.await.unwrap_err().code(), Code::NotFound);
    place.close().await;
}

#[tokio::test]
async fn volumes_are_listed_and_deleted_with_their_files() {
    let Some(place) = Place::new().await else { return };
    let mut client = client(&place).await;
    let (first, second) = (place.modal().volume("first").await.unwrap(), place.modal().volume("second").await.unwrap());
    let list = client.volume_list(call(&place, VolumeListRequest::default())).await.unwrap().into_inner();
    let names: Vec<_> = list.items.iter().map(|v| v.label.as_str()).collect();
    assert_eq!(names, ["second", "first"]);
    assert!(place.names("volumes").contains(&first));
    let delete = VolumeDeleteRequest { volume_id: first.clone(), ..Default::default() };
    client.volume_delete(call(&place, delete.clone())).await.unwrap();
    assert_eq!(place.names("volumes"), [second]);
    assert_eq!(client.volume_delete(call(&place, delete)).await.unwrap_err().code(), Code::NotFound);
    let said = place.modal().volume("a b").await.unwrap_err();
    assert!(said.to_string().contains("1 to 64"), "{said}");
    place.close().await;
}

async fn build(place: &Place, from: &str, commands: &[&str]) -> (Result<String, ModalError>, Vec<String>) {
    let modal = place.modal();
    let app = modal.app("a").await.unwrap();
    let config = ImageConfig {
        base_image: from.to_owned(),
        dockerfile_commands: commands.iter().map(|c| (*c).to_owned()).collect(),
    };
    let log = Mutex::new(Vec::new());
    let note = |stage: Stage| {
        if let Stage::Log(line) = stage {
            log.lock().unwrap().push(line.raw().to_owned());
        }
    };
    let built = soon("an image", modal.image(&app, &config, &note)).await;
    (built, log.into_inner().unwrap())
}

#[tokio::test]
async fn commands_make_layers_that_are_kept() {
    let Some(mut place) = Place::new().await else { return };
    let commands = [
        "ENV GREETING=hello",
        "ENV NAME=$GREETING-heron",
        "WORKDIR /srv/work",
        "RUN echo $NAME > here && echo tool > /usr/local/bin/tool && chmod +x /usr/local/bin/tool && pwd && echo bad >&2",
        "RUN cat here && test -x /usr/local/bin/tool && rm here && dpkg --version | head -1",
    ];
    let (image, log) = build(&place, "host", &commands).await;
    let image = image.unwrap_or_else(|e| panic!("{e}: {log:#?}"));
    for line in ["/srv/work", "bad", "hello-heron"] {
        assert!(log.iter().any(|l| l == line), "{line}: {log:#?}");
    }
    assert_eq!(place.names("layers").len(), 2, "{:?}", place.names("layers"));
    assert!(place.names("builds").is_empty());
    let (again, log) = build(&place, "host", &commands).await;
    assert_eq!((again.unwrap(), log.len()), (image.clone(), 0), "it is built once");

    place.stop().await;
    place.start().await;
    let (again, _) = build(&place, "host", &commands).await;
    assert_eq!(again.unwrap(), image);
    // Another image shares the first command's layer and doesn't run it again.
    let (other, log) = build(&place, "host", &[commands[0], commands[1], commands[2], commands[3], "RUN ls"]).await;
    assert_ne!(other.unwrap(), image);
    assert_eq!(log.iter().filter(|l| *l == "bad").count(), 0, "{log:#?}");
    assert_eq!(place.names("layers").len(), 3);
    place.close().await;
}

#[tokio::test]
async fn builds_that_cannot_be_say_what_to_do() {
    let Some(place) = Place::new().await else { return };
    let (unknown, _) = build(&place, "alpine:3.21", &[]).await;
    let said = unknown.unwrap_err().to_string();
    assert!(said.contains("[engine.images]") && said.contains(r#"stand_ins = { "alpine:3.21" = "host" }"#), "{said}");
    let (copied, _) = build(&place, "host", &["COPY . /app"]).await;
    assert!(copied.unwrap_err().to_string().contains("not with COPY"));
    let (failed, log) = build(&place, "host", &["RUN echo before; exit 7"]).await;
    let failed = failed.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Build);
    assert!(failed.to_string().contains("exit code 7"), "{failed}");
    assert!(log.iter().any(|l| l == "before"), "{log:#?}");
    assert!(place.names("layers").is_empty() && place.names("builds").is_empty(), "nothing of it is left");
    let mut client = client(&place).await;
    let request = ImageGetOrCreateRequest { app_id: "ap-none".into(), ..ImageGetOrCreateRequest::default() };
    assert_eq!(client.image_get_or_create(call(&place, request)).await.unwrap_err().code(), Code::NotFound);
    let request = ImageJoinStreamingRequest { image_id: "im-none".into(), ..ImageJoinStreamingRequest::default() };
    assert_eq!(client.image_join_streaming(call(&place, request)).await.unwrap_err().code(), Code::NotFound);
    place.close().await;
}
