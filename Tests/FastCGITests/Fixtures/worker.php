<?php
header("X-Worker: php");
http_response_code(203);
error_log("to stderr");
readfile("php://input");
