//! Client of Modal's control plane and command router.
