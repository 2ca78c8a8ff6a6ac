//! Images: one call a layer, each built while its log streams.

use std::time::Duration;

use tokio::time::sleep;
use tonic::Code;

use super::{
    connection::{Modal, PLAIN},
    error::{ErrorKind, ModalError},
    retry::{MAX_BREAKS, is_transient},
    sandboxes::Stage,
};
use crate::{
    core::{ImageConfig, Untrusted},
    proto::client::{
        BaseImage, GenericResult, Image, ImageGetOrCreateRequest, ImageJoinStreamingRequest,
        generic_result::GenericStatus,
    },
};

/// How long the other side may hold one read of a build's log; then it is opened again.
const HOLD_SECS: f32 = 55.0;

impl Modal {
    /// The image of a configuration: its id, once built. `stage` hears of a build, if one is needed, and its lines.
    ///
    /// # Errors
    /// A build that failed ([`ErrorKind::Build`]), or the calls'.
    pub async fn image(
        &self,
        app_id: &str,
        config: &ImageConfig,
        stage: &(dyn Fn(Stage) + Sync),
    ) -> Result<String, ModalError> {
        let builder = self.builder_version().await?;
        let base = Image { dockerfile_commands: vec![format!("FROM {}", config.base_image)], ..Image::default() };
        let base = self.layer(app_id, &builder, base, stage).await?;
        if config.dockerfile_commands.is_empty() {
            return Ok(base);
        }
        let mut lines = vec!["FROM base".to_owned()];
        lines.extend(config.dockerfile_commands.iter().cloned());
        let layer = Image {
            dockerfile_commands: lines,
            base_images: vec![BaseImage { docker_tag: "base".to_owned(), image_id: base }],
            ..Image::default()
        };
        self.layer(app_id, &builder, layer, stage).await
    }

    async fn layer(
        &self,
        app_id: &str,
        builder: &str,
        image: Image,
        stage: &(dyn Fn(Stage) + Sync),
    ) -> Result<String, ModalError> {
        let what = image.dockerfile_commands.first().cloned().unwrap_or_default();
        let request = ImageGetOrCreateRequest {
            app_id: app_id.to_owned(),
            image: Some(image),
            builder_version: builder.to_owned(),
            ..ImageGetOrCreateRequest::default()
        };
        let action = format!("build the image ({what})");
        let answer = self
            .call(&action, PLAIN, request, |mut c, r| Box::pin(async move { c.image_get_or_create(r).await }))
            .await?;
        let result = match answer.result.filter(|r| r.status() != GenericStatus::Unspecified) {
            Some(result) => result,
            None => {
                stage(Stage::Image);
                self.follow_build(&answer.image_id, &action, stage).await?
            }
        };
        let failed = |message: &str| Err(ModalError::new(ErrorKind::Build, &action, message));
        match result.status() {
            GenericStatus::Success => Ok(answer.image_id),
            GenericStatus::Failure | GenericStatus::MemoryManagerEviction => failed(&result.exception),
            GenericStatus::Terminated => failed("it was stopped from outside; try again"),
            GenericStatus::Timeout => failed("it took too long"),
            other => failed(&format!("it ended as {}: {}", other.as_str_name(), result.exception)),
        }
    }

    /// Reads the log of a build to its end, going on after breaks at the entry where it stopped.
    async fn follow_build(
        &self,
        image_id: &str,
        action: &str,
        stage: &(dyn Fn(Stage) + Sync),
    ) -> Result<GenericResult, ModalError> {
        let (mut last, mut breaks, mut result) = (String::new(), 0, None);
        loop {
            let request = ImageJoinStreamingRequest {
                image_id: image_id.to_owned(),
                timeout: HOLD_SECS,
                last_entry_id: last.clone(),
                include_logs_for_finished: true,
            };
            let outcome = async {
                let mut stream = self.client().image_join_streaming(self.stream_request(request)).await?.into_inner();
                while let Some(message) = stream.message().await? {
                    breaks = 0;
                    if !message.entry_id.is_empty() {
                        last.clone_from(&message.entry_id);
                    }
                    for line in message.task_logs.iter().flat_map(|l| l.data.split_inclusive('\n')) {
                        stage(Stage::Log(Untrusted::new(line.trim_end_matches('\n'))));
                    }
                    // The log may go on after the result: read to the end.
                    result = message.result.filter(|r| r.status() != GenericStatus::Unspecified).or(result.take());
                }
                Ok::<_, tonic::Status>(())
            }
            .await;
            if let Some(result) = result.take() {
                return Ok(result);
            }
            if let Err(status) = outcome
                && status.code() != Code::Ok
            {
                breaks += 1;
                if !is_transient(status.code()) || breaks > MAX_BREAKS {
                    return Err(ModalError::from_status(action, &status));
                }
                sleep(Duration::from_millis(100 * u64::from(breaks))).await;
            }
        }
    }
}
