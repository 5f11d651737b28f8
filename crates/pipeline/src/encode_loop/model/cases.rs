//! Single histories that once went wrong, in few words each.

use super::{Op, Setting, World};

const SETTING: Setting = Setting {
    fps: 60,
    invalidates: true,
    refines: true,
    store: 16,
};

fn play(history: &[Op]) -> World {
    let mut world = World::new(SETTING);
    for op in history {
        world.apply(op);
        world.advance(world.now);
    }
    world
}

#[test]
fn who_loses_the_name_to_another_is_told_so() {
    let world = play(&[Op::Join { viewer: 0 }, Op::Join { viewer: 0 }]);
    let closed = world.holders.iter().map(|holder| holder.queue.is_closed());
    assert!(closed.eq([true, false]));
}
