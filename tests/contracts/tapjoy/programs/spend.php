<?php
// A spend importer in the style of those in use: a POST without fields, the vendor's Host by hand, header names in
// small letters, two spaces after Bearer, times unencoded, and bucket 0 of three series side by side.
[, $base, $key, $adGroup, $day, $method] = $argv;

function call(string $url, array $headers, ?string $post): array
{
    $curl = curl_init($url);
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($curl, CURLOPT_TIMEOUT, 30);
    curl_setopt($curl, CURLOPT_HTTPHEADER, $headers);
    if ($post === 'post') {
        curl_setopt($curl, CURLOPT_POST, true);
    } elseif ($post === 'custom') {
        curl_setopt($curl, CURLOPT_CUSTOMREQUEST, 'POST');
    }
    $body = curl_exec($curl);
    if ($body === false) {
        fwrite(STDERR, curl_error($curl));
        exit(1);
    }
    return json_decode($body, true, 512, JSON_THROW_ON_ERROR);
}

$token = call("$base/v1/oauth2/token", ['Host: api.tapjoy.com', "authorization:Basic $key"], $method);
if (isset($token['error'])) {
    fwrite(STDERR, $token['error']);
    exit(1);
}
$next = date('Y-m-d', strtotime("$day +1 day"));
$query = "start_time={$day}T00:00:00-00:00&end_time={$next}T00:00:00-00:00&time_increment=daily&breakdowns=country_code";
$answer = call(
    "$base/v1/ad_groups/$adGroup/insights?$query",
    ['Host: api.tapjoy.com', "authorization: Bearer  {$token['access_token']}", 'Accept: application/json; */*'],
    null
);
$rows = [];
foreach ($answer['data'][$adGroup]['insights'] as $country => $series) {
    $spend = $series['installs_spend'][0][1];
    if ($spend < 0) {
        $rows[$country] = [
            ltrim((string) $spend, '-'),
            $series['global_conversions'][0][1],
            $series['paid_clicks'][0][1],
        ];
    }
}
echo json_encode($rows);
