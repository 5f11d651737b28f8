//! Places, movements, buttons and the wheel, as a window sees them.

use crate::desk::{A, driving};
use crate::xserver::{Came, Watcher, XServer, eventually};
use input::{Button, Contact, InputEvent, PenEvent, PenPhase, PenTool, ScreenArea, TouchPhase};
use media::Size;

#[test]
fn places_are_of_the_screen_or_of_the_captured_part() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    let go = |[x, y]: [u16; 2], pixel: [i16; 2]| {
        rig.desk.inject(A, InputEvent::MoveTo { x, y }).unwrap();
        eventually("the pointer", || (watcher.pointer() == pixel).then_some(()));
    };
    go([0, 0], [0, 0]);
    go([65535, 65535], [1279, 799]);
    go([32768, 32768], [640, 400]);
    rig.area.set(Some(ScreenArea {
        x: 640,
        y: 100,
        size: Size::new(600, 500),
    }));
    go([0, 0], [640, 100]);
    go([65535, 65535], [1239, 599]);
    // The picture is scaled and has bars above and below.
    rig.area.set_picture(Some(Size::new(600, 1000)));
    go([0, 0], [640, 100]);
    go([32768, 32768], [940, 350]);
    go([32768, 65535], [940, 599]);
}

#[test]
fn movements_are_in_pixels_and_none_is_lost() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    let by = |dx, dy| {
        let moved = rig.desk.inject(A, InputEvent::MoveBy { dx, dy });
        moved.unwrap();
    };
    by(-40_000, -40_000);
    for _ in 0..100 {
        by(3, 2);
    }
    by(-100, 1);
    eventually("the pointer", || {
        (watcher.pointer() == [200, 201]).then_some(())
    });
}

#[test]
fn buttons_have_the_numbers_that_x_programs_know() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    for (button, number) in Button::ALL.into_iter().zip([1, 2, 3, 8, 9]) {
        for down in [true, false] {
            let event = InputEvent::Button { button, down };
            rig.desk.inject(A, event).unwrap();
            assert_eq!(watcher.presses(1), [Came::Button(number, down)]);
        }
    }
}

#[test]
fn the_wheel_turns_by_whole_notches_in_all_four_directions() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    let turn = |dx, dy| {
        let turned = rig.desk.inject(A, InputEvent::Wheel { dx, dy });
        turned.unwrap();
    };
    for _ in 0..8 {
        turn(0, 15);
    }
    turn(0, -120);
    turn(240, 0);
    turn(-120, 0);
    let wanted = [5, 4, 7, 7, 6].map(|number| [true, false].map(|down| Came::Button(number, down)));
    assert_eq!(watcher.presses(10), wanted.concat());
    assert!(watcher.is_quiet());
}

#[test]
fn the_first_finger_is_the_mouse() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    let touch = |id, phase, [x, y]: [u16; 2]| {
        let contact = Contact::default();
        let event = InputEvent::Touch {
            id,
            phase,
            x,
            y,
            contact,
        };
        rig.desk.inject(A, event).unwrap();
    };
    touch(5, TouchPhase::Start, [0, 0]);
    touch(6, TouchPhase::Start, [65535, 65535]);
    touch(5, TouchPhase::Move, [32768, 32768]);
    touch(6, TouchPhase::End, [65535, 65535]);
    touch(5, TouchPhase::End, [32768, 32768]);
    assert_eq!(
        watcher.presses(2),
        [Came::Button(1, true), Came::Button(1, false)]
    );
    assert_eq!(watcher.pointer(), [640, 400]);
    // A finger whose viewer goes does not stay on the glass.
    touch(5, TouchPhase::Start, [0, 0]);
    rig.desk.revoke(A);
    assert_eq!(
        watcher.presses(2),
        [Came::Button(1, true), Came::Button(1, false)]
    );
    assert!(watcher.is_quiet());
}

#[test]
fn a_pen_is_a_mouse_that_presses_where_it_touches() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    let draw = |phase, buttons, [x, y]: [u16; 2]| {
        let event = InputEvent::Pen(PenEvent {
            phase,
            tool: PenTool::Pen,
            buttons,
            x,
            y,
            contact: Contact::default(),
            tilt_deg: None,
        });
        rig.desk.inject(A, event).unwrap();
    };
    draw(PenPhase::Hover, 0, [32768, 32768]);
    eventually("the pen", || {
        (watcher.pointer() == [640, 400]).then_some(())
    });
    draw(PenPhase::Start, 0, [0, 0]);
    draw(PenPhase::Move, 1, [65535, 65535]);
    draw(PenPhase::End, 1, [65535, 65535]);
    let wanted = [(1, true), (3, true), (1, false), (3, false)];
    let wanted = wanted.map(|(number, down)| Came::Button(number, down));
    assert_eq!(watcher.presses(4), wanted);
    assert_eq!(watcher.pointer(), [1279, 799]);
    draw(PenPhase::Start, 0, [0, 0]);
    rig.desk.gone(A);
    let lifted = [true, false].map(|down| Came::Button(1, down));
    assert_eq!(watcher.presses(2), lifted);
    assert!(watcher.is_quiet());
}
