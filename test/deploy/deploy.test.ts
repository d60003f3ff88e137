// What runs the daemon elsewhere, one suite for each way: in one process, because most of what they cost is what they import.
import './dockerfile.suite.js';
import './kubernetes.suite.js';
import './systemd.suite.js';
