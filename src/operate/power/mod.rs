//! Machines that are turned on and off: what is asked → a conversation with a controller, or a wake-up packet.

pub mod amt;
