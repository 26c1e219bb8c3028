<?php
// A function in PHP: php-cgi runs it as it would behind nginx.
header('Content-Type: application/json');
$asked = json_decode(file_get_contents('php://input'), true);
echo json_encode([
    'greeting' => 'Hello, ' . ($asked['name'] ?? 'world') . '!',
    'invocation' => $_SERVER['SWIFTLET_INVOCATION_ID'],
    'method' => $_SERVER['REQUEST_METHOD'],
]);
