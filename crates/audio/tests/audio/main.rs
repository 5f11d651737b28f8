//! Sound from real servers and synthetic sources, through the real encoder to an independent look
//! at what is heard.

mod opus;
mod spectrum;
