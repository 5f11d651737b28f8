//! WebRTC sessions: packetising, sending, recovery and rate on one network thread.
