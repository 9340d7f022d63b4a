<?php
// Answers a form with what read_form.py prints, fields first, for `php -S`.
function shown(string $bytes): string
{
    return bin2hex($bytes) . ".";
}

foreach ($_POST as $name => $value) {
    echo shown($name), " - - ", shown($value), "\n";
}
foreach ($_FILES as $name => $file) {
    $content = file_get_contents($file["tmp_name"]);
    echo shown($name), " ", shown($file["name"]), " ", shown($file["type"]), " ", shown($content), "\n";
}
