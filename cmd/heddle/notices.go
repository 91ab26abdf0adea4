package main

import "heddle/worker"

// noticeWays are how people are told of reviews outside of the API, as configured.
func (s *settings) noticeWays() (ways []worker.NoticeWay, err error) {
	if s.NoticeWebhook != "" {
		way, err := worker.NewNoticeWebhook(s.NoticeWebhook, s.NoticeSecret)
		if err != nil {
			return nil, err
		}
		ways = append(ways, way)
	}
	if s.SMTP != "" {
		way, err := worker.NewNoticeMail(s.SMTP, s.MailFrom)
		if err != nil {
			return nil, err
		}
		ways = append(ways, way)
	}
	return ways, nil
}
