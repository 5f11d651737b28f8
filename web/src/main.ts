//! Opens the page.

import { Page } from "./page";

new Page().open();
