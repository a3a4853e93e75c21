# The sample program of the vendor's page. Changed: host and port, no TLS, and key and ad group come as arguments.
host, port, publisher_reporting_api_key, ad_group_id = ARGV

require 'base64'
require 'json'
require 'net/https'

http = Net::HTTP.new(host, port)

###
# Request an access token
###
request = Net::HTTP::Post.new('/v1/oauth2/token')
request['Authorization'] = "Basic #{publisher_reporting_api_key}"
response = http.request(request)
oauth = JSON.parse(response.body)
access_token = oauth['access_token']

###
# Use the token to request insights
###
path = "/v1/ad_groups/#{ad_group_id}/insights"
path << "?time_preset=yesterday&breakdowns=country_code"
request = Net::HTTP::Get.new(path)
request['Authorization'] = "Bearer #{access_token}"

response = http.request(request)
###
# Output response body
###
puts response.body
