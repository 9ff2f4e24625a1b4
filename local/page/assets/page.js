// The page of the local stack: it polls the simulator that serves it, and calls the deployed API.

import "./calls.js";
import "./do_not_disturb.js";
import "./faults.js";
import "./queue.js";
import "./results.js";
import "./story.js";
import { showRate } from "./charts.js";
import { isBusy } from "./picture.js";
import { poll, subscribe } from "./simulator.js";

subscribe(showRate);
poll(isBusy);
