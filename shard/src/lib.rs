//! One core's loop: connections, requests, the mesh between cores, group commit, timers. It carries out what `broker` decides
//! with what `engine` keeps, in whatever [`world::World`] it lives.

mod budget;
mod calls;
mod cleaning;
pub mod config;
mod connection;
mod core;
mod effects;
mod frames;
pub mod identity;
pub mod inspect;
pub mod mesh;
pub mod metrics;
mod requests;
mod signal;
pub mod start;
mod tasks;
mod waiters;
mod watches;
pub mod world;

pub use crate::core::Core;
pub use mesh::{Call, Message, Reply};
pub use requests::SERVED;
