//! From a request to what a keeper starts: what is asked is checked, looked up and laid out. Nothing is made yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use tonic::Status;

use super::{
    environment::{Env, Sources, gather, merge},
    rows::Facts,
};
use crate::{
    engine::{
        Shared,
        images::ImageRoot,
        proxy,
        spec::{Bind, Limits, Network, SandboxSpec},
    },
    proto::client::{
        NetworkAccess, Resources, Sandbox as Definition, SandboxCreateV2Request, SandboxTag, VolumeMount,
        network_access::NetworkAccessType, sandbox::OpenPortsOneof,
    },
};

/// All arguments of the first command together, as Modal's clients bound it.
const MAX_ARGUMENTS: usize = 64 << 10;
/// Life of a sandbox whose request says nothing, as Modal gives it.
const TIMEOUT_SECS: u32 = 300;
/// Longest name of an object, and of a host in Linux.
const MAX_NAME: usize = 64;
/// Longest tag key or value, as Modal bounds it.
const MAX_TAG: usize = 63;

/// A sandbox that could be made.
#[derive(Debug)]
pub struct Plan {
    /// Its name.
    pub name: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What is remembered.
    pub facts: Facts,
    /// What its commands start with, defaults aside.
    pub env: Env,
    image: ImageRoot,
    binds: Vec<Bind>,
    limits: Limits,
    network: Network,
    entrypoint: Vec<String>,
    workdir: String,
}

impl Plan {
    /// Checks a request and looks up what it names.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, UNIMPLEMENTED with what to do instead, NOT_FOUND.
    pub async fn new(shared: &Shared, request: &SandboxCreateV2Request) -> Result<Self, Status> {
        let definition = request.definition.as_ref().ok_or_else(|| invalid("the definition is missing"))?;
        refuse_what_is_not_there(definition)?;
        let length: usize = definition.entrypoint_args.iter().map(String::len).sum();
        if length > MAX_ARGUMENTS {
            return Err(invalid(format!("the arguments have {length} bytes; at most {MAX_ARGUMENTS} are allowed")));
        }
        if definition.entrypoint_args.iter().any(|a| a.contains('\0')) {
            return Err(invalid("an argument has a zero byte"));
        }
        let name = definition.name.clone().filter(|n| !n.is_empty());
        if let Some(name) = name.as_deref().filter(|n| !is_name(n, MAX_NAME)) {
            return Err(invalid(format!("{name:?} is no name: 1 to {MAX_NAME} letters, digits, - _ and .")));
        }
        let image = shared.images.root(&definition.image_id).await?;
        let network = network(definition, &shared.access.s3_url)?;
        let asked = definition.workdir.clone().filter(|w| !w.is_empty());
        let workdir = asked.or_else(|| image.workdir.clone()).unwrap_or_else(|| "/".to_owned());
        check_path(&workdir)?;
        let mut binds = Vec::new();
        for id in &definition.mount_ids {
            binds.extend(shared.mounts.binds(id).await?);
        }
        check_volumes(&definition.volume_mounts)?;
        for mount in &definition.volume_mounts {
            binds.push(Bind {
                source: shared.volumes.folder(&mount.volume_id).await?,
                target: mount.mount_path.clone(),
                read_only: mount.read_only,
            });
        }
        let sources = Sources {
            ids: &definition.secret_ids,
            plain: definition.environment_variables.iter().chain(&request.ephemeral_secrets).collect(),
            mixed: &request.secret_sources,
        };
        let env = merge([image.env.clone(), gather(shared, sources).await?]);
        let timeout_secs = if definition.timeout_secs == 0 { TIMEOUT_SECS } else { definition.timeout_secs };
        Ok(Self {
            name,
            tags: tags(&request.tags)?,
            facts: Facts {
                image_id: definition.image_id.clone(),
                timeout_secs,
                volumes: definition.volume_mounts.iter().map(|m| m.volume_id.clone()).collect(),
                network: network.proxy_port.is_some(),
            },
            env,
            image,
            binds,
            limits: Limits {
                disk_floor: shared.settings.disk_floor,
                ..limits(definition.resources.as_ref(), timeout_secs)
            },
            network,
            entrypoint: definition.entrypoint_args.clone(),
            workdir,
        })
    }

    /// What its keeper is told.
    pub fn spec(self, shared: &Shared, sandbox_id: &str, task_id: &str, scratch: &Path) -> SandboxSpec {
        let mut root = self.image.root(scratch);
        root.binds.extend(self.binds);
        SandboxSpec {
            sandbox_id: sandbox_id.to_owned(),
            task_id: task_id.to_owned(),
            hostname: self.name.unwrap_or_else(|| sandbox_id.to_owned()),
            root,
            ids: shared.ids.clone(),
            limits: self.limits,
            network: self.network,
            entrypoint: self.entrypoint,
            workdir: self.workdir,
        }
    }
}

fn invalid(why: impl Into<String>) -> Status {
    Status::invalid_argument(why)
}

/// What Modal has and this engine has not is never left out in silence.
fn refuse_what_is_not_there(definition: &Definition) -> Result<(), Status> {
    let gpu = definition.resources.as_ref().and_then(|r| r.gpu_config.as_ref());
    let ports = definition.open_ports_oneof.as_ref().map(|OpenPortsOneof::OpenPorts(ports)| ports);
    let asked = [
        (
            !definition.cloud_bucket_mounts.is_empty() || !definition.s3_mounts.is_empty(),
            "mount buckets: restore a version into the volume, or use Modal",
        ),
        (!definition.nfs_mounts.is_empty(), "mount network file systems: use a volume"),
        (gpu.is_some_and(|g| !g.gpu_type.is_empty()), "give a sandbox a GPU: use Modal"),
        (definition.pty_info.as_ref().is_some_and(|p| p.enabled), "run the first command in a terminal: exec it"),
        (ports.is_some_and(|p| !p.ports.is_empty()), "open ports of a sandbox: use Modal"),
        (
            definition.idle_timeout_secs() > 0,
            "end a sandbox that is idle (idle_timeout_secs): give it a timeout, or terminate it",
        ),
        (definition.readiness_probe.is_some(), "probe whether a sandbox is ready (readiness_probe): exec and look"),
        (!definition.proxy_id().is_empty(), "use one of Modal's proxies (proxy_id): leave it out"),
        (!definition.inbound_cidr_allowlist.is_empty(), "let others in (inbound_cidr_allowlist): nobody is"),
        (definition.enable_snapshot, "snapshot a sandbox (enable_snapshot): save a version of its volume"),
        (definition.volume_mounts.iter().any(|m| m.sub_path().len() > 1), "mount a part of a volume: mount all of it"),
    ];
    match asked.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(Status::unimplemented(format!("the local engine can't {what}"))),
        None => Ok(()),
    }
}

fn network(definition: &Definition, s3_url: &str) -> Result<Network, Status> {
    let access = definition.network_access.clone().unwrap_or_default();
    let NetworkAccess { allowed_cidrs, allowed_domains, .. } = &access;
    let blocked = match access.network_access_type() {
        NetworkAccessType::Unspecified | NetworkAccessType::Open => definition.block_network,
        NetworkAccessType::Blocked => true,
        NetworkAccessType::Allowlist if allowed_cidrs.is_empty() && allowed_domains.is_empty() => true,
        NetworkAccessType::Allowlist => {
            return Err(Status::unimplemented("the local engine has no lists of allowed networks: open or blocked"));
        }
    };
    if blocked {
        return Ok(Network::default());
    }
    Ok(Network { proxy_port: Some(proxy::PORT), forwards: port(s3_url).into_iter().collect() })
}

/// The port of a loopback address of ours.
pub fn port(url: &str) -> Option<u16> {
    url.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok())
}

/// Modal's plain numbers are what a sandbox is promised; only its maxima limit it.
fn limits(resources: Option<&Resources>, timeout_secs: u32) -> Limits {
    let asked = resources.cloned().unwrap_or_default();
    Limits {
        memory: u64::from(asked.memory_mb_max) << 20,
        milli_cpu: asked.milli_cpu_max.into(),
        timeout_secs: timeout_secs.into(),
        ..Limits::default()
    }
}

fn check_volumes(mounts: &[VolumeMount]) -> Result<(), Status> {
    let (mut ids, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for mount in mounts {
        check_path(&mount.mount_path)?;
        let path = mount.mount_path.trim_end_matches('/');
        if path.is_empty() {
            return Err(invalid("a volume can't be the root of a sandbox"));
        }
        if !ids.insert(&mount.volume_id) {
            return Err(invalid(format!("the volume {} is mounted twice", mount.volume_id)));
        }
        if !paths.insert(path) {
            return Err(invalid(format!("two volumes are mounted at {path}")));
        }
    }
    Ok(())
}

/// Absolute, and without detours.
pub fn check_path(path: &str) -> Result<(), Status> {
    if path.starts_with('/') && !path.contains('\0') && path.split('/').all(|part| part != "..") {
        Ok(())
    } else {
        Err(invalid(format!("{path:?} is not an absolute path without \"..\"")))
    }
}

fn is_name(text: &str, max: usize) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=max).contains(&text.len()) && text.bytes().all(fits)
}

/// Tags by name.
pub fn tags(tags: &[SandboxTag]) -> Result<BTreeMap<String, String>, Status> {
    match tags.iter().find(|t| !is_name(&t.tag_name, MAX_TAG) || !is_name(&t.tag_value, MAX_TAG)) {
        Some(tag) => {
            let tag = format!("{}={}", tag.tag_name, tag.tag_value);
            Err(invalid(format!("{tag:?} is no tag: both have 1 to {MAX_TAG} letters, digits, - _ and .")))
        }
        None => Ok(tags.iter().map(|t| (t.tag_name.clone(), t.tag_value.clone())).collect()),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::proto::client::{CloudBucketMount, GpuConfig, PortSpec, PortSpecs, PtyInfo};

    fn access(kind: NetworkAccessType, cidrs: &[&str]) -> Definition {
        let access = NetworkAccess {
            network_access_type: kind.into(),
            allowed_cidrs: cidrs.iter().map(|c| (*c).to_owned()).collect(),
            ..NetworkAccess::default()
        };
        Definition { network_access: Some(access), ..Definition::default() }
    }

    #[test]
    fn an_open_sandbox_has_the_proxy_and_the_store_and_a_blocked_one_nothing() {
        let open = Network { proxy_port: Some(proxy::PORT), forwards: vec![9000] };
        let of = |definition: &Definition| network(definition, "http://127.0.0.1:9000");
        assert_eq!(of(&Definition::default()).unwrap(), open);
        assert_eq!(of(&access(NetworkAccessType::Open, &[])).unwrap(), open);
        for blocked in [
            Definition { block_network: true, ..Definition::default() },
            access(NetworkAccessType::Blocked, &[]),
            access(NetworkAccessType::Allowlist, &[]),
        ] {
            assert_eq!(of(&blocked).unwrap(), Network::default());
        }
        assert_eq!(of(&access(NetworkAccessType::Allowlist, &["1.0.0.0/8"])).unwrap_err().code(), Code::Unimplemented);
    }

    #[test]
    fn what_the_engine_lacks_is_refused_with_what_to_do() {
        let gpu = GpuConfig { gpu_type: "H100".into(), ..GpuConfig::default() };
        let ports = PortSpecs { ports: vec![PortSpec::default()] };
        for definition in [
            Definition { cloud_bucket_mounts: vec![CloudBucketMount::default()], ..Definition::default() },
            Definition {
                resources: Some(Resources { gpu_config: Some(gpu), ..Resources::default() }),
                ..Definition::default()
            },
            Definition { pty_info: Some(PtyInfo { enabled: true, ..PtyInfo::default() }), ..Definition::default() },
            Definition { open_ports_oneof: Some(OpenPortsOneof::OpenPorts(ports)), ..Definition::default() },
            Definition { idle_timeout_secs: Some(60), ..Definition::default() },
            Definition { readiness_probe: Some(Default::default()), ..Definition::default() },
        ] {
            let said = refuse_what_is_not_there(&definition).unwrap_err();
            assert_eq!(said.code(), Code::Unimplemented);
            assert!(said.message().contains(": "), "{said}");
        }
        // As our own client and Modal's always send them.
        let usual = Definition {
            resources: Some(Resources { gpu_config: Some(GpuConfig::default()), ..Resources::default() }),
            open_ports_oneof: Some(OpenPortsOneof::OpenPorts(PortSpecs::default())),
            ..Definition::default()
        };
        refuse_what_is_not_there(&usual).unwrap();
    }

    #[test]
    fn volumes_have_places_of_their_own() {
        let mount =
            |id: &str, path: &str| VolumeMount { volume_id: id.into(), mount_path: path.into(), ..Default::default() };
        check_volumes(&[mount("vo-1", "/mnt/workspace"), mount("vo-2", "/mnt/agent")]).unwrap();
        for wrong in [
            vec![mount("vo-1", "/a"), mount("vo-1", "/b")],
            vec![mount("vo-1", "/a"), mount("vo-2", "/a/")],
            vec![mount("vo-1", "/")],
            vec![mount("vo-1", "mnt")],
            vec![mount("vo-1", "/mnt/../etc")],
        ] {
            assert_eq!(check_volumes(&wrong).unwrap_err().code(), Code::InvalidArgument, "{wrong:?}");
        }
    }

    #[test]
    fn only_maxima_limit() {
        let asked = Resources { memory_mb: 512, memory_mb_max: 1024, milli_cpu_max: 500, ..Resources::default() };
        let limits = limits(Some(&asked), 60);
        assert_eq!((limits.memory, limits.milli_cpu, limits.timeout_secs), (1 << 30, 500, 60));
        assert_eq!(self::limits(None, 60).memory, 0);
    }

    #[test]
    fn tags_are_short_and_plain() {
        let tag = |n: &str, v: &str| SandboxTag { tag_name: n.into(), tag_value: v.into() };
        assert_eq!(tags(&[tag("a", "b"), tag("a", "c")]).unwrap()["a"], "c");
        for wrong in [tag("", "v"), tag("a b", "v"), tag("a", &"x".repeat(64))] {
            assert_eq!(tags(&[wrong]).unwrap_err().code(), Code::InvalidArgument);
        }
    }
}
