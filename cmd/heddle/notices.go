package main

import "heddle/app/notify"

// noticeWays are how people are told of reviews outside of the API, as configured.
func (s *settings) noticeWays() (ways []notify.Channel, err error) {
	if s.NoticeWebhook != "" {
		way, err := notify.NewWebhook(s.NoticeWebhook, s.NoticeSecret)
		if err != nil {
			return nil, err
		}
		ways = append(ways, way)
	}
	if s.SMTP != "" {
		way, err := notify.NewMail(s.SMTP, s.MailFrom)
		if err != nil {
			return nil, err
		}
		ways = append(ways, way)
	}
	return ways, nil
}
