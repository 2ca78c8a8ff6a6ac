//! The store through its HTTP door, by the SDK and by presigned requests.

mod disk;
mod guard;
mod multipart;
mod objects;

use std::{net::SocketAddr, path::Path, sync::Arc, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{RESERVE, Settings, Store};

const KEY_ID: &str = "AKIDHERON";
const SECRET: &str = "reeds-and-water";
const BUCKET: &str = "bank";

/// A store that serves, with a bucket.
struct Bench {
    dir: TempDir,
    store: Arc<Store>,
    client: Client,
    address: SocketAddr,
    served: JoinHandle<()>,
    stop: DropGuard,
}

fn settings(dir: &Path) -> Settings {
    Settings {
        dir: dir.to_owned(),
        access_key_id: KEY_ID.into(),
        secret_access_key: SECRET.into(),
        region: "us-east-1".into(),
    }
}

fn client(address: SocketAddr, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(Credentials::new(KEY_ID, secret, None, None, "test"))
        .force_path_style(true);
    Client::from_conf(config.build())
}

async fn bench() -> Bench {
    start(tempfile::tempdir().unwrap(), RESERVE).await
}

async fn start(dir: TempDir, reserve: u64) -> Bench {
    let store = Store::open_with_reserve(settings(dir.path()), reserve).await.unwrap();
    store.make_bucket(BUCKET).await.unwrap();
    let store = Arc::new(store);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let (serving, token) = (Arc::clone(&store), stop.clone());
    let served = tokio::spawn(async move { serving.serve(listener, token).await });
    Bench { dir, store, client: client(address, SECRET), address, served, stop: stop.drop_guard() }
}

impl Bench {
    /// Ends the store in order; its folder remains.
    async fn close(self) -> TempDir {
        drop(self.stop);
        self.served.await.unwrap();
        drop(self.store);
        self.dir
    }

    async fn put(&self, key: &str, body: impl Into<Vec<u8>>) -> String {
        let body = ByteStream::from(body.into());
        let put = self.client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
        put.e_tag.unwrap()
    }

    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        match self.client.get_object().bucket(BUCKET).key(key).send().await {
            Ok(got) => Some(got.body.collect().await.unwrap().to_vec()),
            Err(error) if code(&error) == "NoSuchKey" => None,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// A presigned URL whose signature covers `headers` and the host.
    fn presign(&self, method: &str, path: &str, headers: &[(&str, &str)], seconds: u64) -> String {
        let url = format!("http://{}/{BUCKET}/{path}", self.address);
        let identity = Credentials::new(KEY_ID, SECRET, None, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(std::time::Duration::from_secs(seconds));
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let request =
            SignableRequest::new(method, &url, headers.iter().copied(), SignableBody::UnsignedPayload).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        let mut url = reqwest::Url::parse(&url).unwrap();
        for (name, value) in instructions.params() {
            url.query_pairs_mut().append_pair(name, value);
        }
        url.into()
    }
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or("none").to_owned()
}
