//! The encode loop, its consumers and leases, the keyframe gate and the pacer.
